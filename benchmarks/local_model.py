"""The example company's questions, asked of the configured local model: `python -m benchmarks.local_model [N …]`.

The first four are the demo's, on which the prompts were tuned.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import open_embedder
from agent.settings import Settings
from agent.state import State
from examples.shop.orders import create
from examples.shop.tools import shop_tools
from graphs.assistant import AssistantGraph, build
from service.demo import backend

SHOP = Path(__file__).parent.parent / "examples" / "shop"
DEMO = 4


def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHOP / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


@asynccontextmanager
async def company(folder: Path) -> AsyncIterator[AssistantGraph]:
    """Build the example company's assistant on the local model, as the demo does, while its backend runs.

    Args:
        folder: where its orders and its knowledge base go.
    """
    create(folder / "orders.sqlite")
    knowledge = await KnowledgeBase.open(folder / "knowledge", await open_embedder("minilm"))
    await knowledge.index(SHOP / "docs")
    with backend(folder / "orders.sqlite") as api:
        settings = Settings(model="local", data_dir=folder / "data", apis=[api])
        tools = shop_tools(folder / "orders.sqlite")
        yield build(settings=settings, tools=tools, knowledge=knowledge, checkpointer=InMemorySaver())
    await knowledge.close()


def asked_of(question: str) -> Any:
    """Return the input of a turn."""
    return {"messages": [("user", question)]}


def thread(name: object) -> RunnableConfig:
    """Return the config of a thread."""
    return RunnableConfig(configurable={"thread_id": str(name)})


def faults(question: dict[str, Any], state: State) -> list[str]:
    """Return what is wrong with an answer.

    Args:
        question: a line of questions.jsonl.
        state: the thread after it.
    """
    answer = str(state["messages"][-1].text)
    cited = {source["document"] for source in state["sources"]}
    missing = [f"no {fact!r}" for fact in question["facts"] if not re.search(fact, answer, re.IGNORECASE | re.DOTALL)]
    uncited = [f"{document} is not cited" for document in question["needs"] if document not in cited]
    needless = [f"{document} is cited" for document in sorted(cited)] if not question["needs"] else []
    return [*missing, *uncited, *needless]


async def measure(chosen: list[int]) -> None:
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        async with company(Path(folder)) as graph:
            for number, question in enumerate(questions(), start=1):
                if chosen and number not in chosen:
                    continue
                start = time.perf_counter()
                state = await graph.ainvoke(asked_of(question["question"]), thread(number))
                seconds = time.perf_counter() - start
                wrong = faults(question, state)
                for kind in (question["kind"], "demo" if number <= DEMO else "held out"):
                    asked[kind] += 1
                    right[kind] += not wrong
                steps = [f"{step['tool']} {json.dumps(step['args'])} {step['status']}" for step in state["plan"]]
                print(f"{number:2} {'wrong' if wrong else 'right'} {seconds:5.1f} s  {question['question']}")
                print(f"   {'; '.join(steps)}\n   {state['messages'][-1].text}", *wrong, sep="\n   ", flush=True)
    for kind, count in asked.items():
        print(f"{kind:24} {right[kind]} of {count}")


if __name__ == "__main__":
    asyncio.run(measure([int(argument) for argument in sys.argv[1:]]))
