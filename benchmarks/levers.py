"""What each lever saves: the same conversations with it off and on: `python -m benchmarks.levers`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from rich import box
from rich.console import Console
from rich.table import Table

from agent.context import Context
from agent.knowledge.base import KnowledgeBase
from agent.prices import Prices, Tokens
from agent.state import ModelCall
from benchmarks.model_process import KeepingScript, ModelProcess, model_process
from graphs.assistant import build
from tests.support.model_server import Body, Reply
from tools.effects import reads

SHOP = Path(__file__).parents[1] / "examples" / "shop"
CASES: list[dict[str, Any]] = [json.loads(line) for line in (SHOP / "questions.jsonl").read_text("utf-8").splitlines()]
QUESTIONS = [case["question"] for case in CASES]

# The small model of the cascade fails at every fourth question, in turn by refusing and by a wrong plan.
HARD = set(QUESTIONS[::4])
SMALL = "compatible:small"
OPERATIONS = 128
WIDTH = 132
REPORT_CHARACTERS = 20_000
# As long as the longest that the summary is asked for.
RECORD = "Facts: the person asked about returns, delivery and care [1], and was told so. " + "A fact that stays. " * 120
ANSWER = (
    "That is what our documents say of it, as far as I can see [1]. Anything else that you need to know is there [2]."
)

Threads = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Lever:
    """A lever, and the conversations that show what it does.

    Args:
        name: what it is.
        threads: the questions, thread by thread.
        off: the context without it.
        on: the context with it.
        tools: tools to give the assistant.
        kept: whether the provider is to charge less for what it has read before.
    """

    name: str
    threads: Threads
    off: Context
    on: Context
    tools: Callable[[], list[BaseTool]] = list
    kept: tuple[bool, bool] = (True, True)


@dataclass
class Figures:
    """What the conversations took."""

    calls: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    cost: float = 0.0
    cost_if_none_kept: float = 0.0
    supported: int = 0
    by_node: dict[str, int] = field(default_factory=dict)


def levers() -> Iterator[Lever]:
    """Yield the levers."""
    plain = Context(owner="ann", history_tokens=0, repeat_passages=True, result_tokens=100_000)
    once, long = [[question] for question in QUESTIONS], [QUESTIONS * 2]

    def lever(name: str, threads: Threads, *, tools: Callable[[], list[BaseTool]] = list, **on: Any) -> Lever:
        return Lever(name, threads, plain, plain.model_copy(update=on), tools)

    yield Lever("stable prefix", [QUESTIONS], plain, plain, kept=(False, True))
    yield lever("history summarised past 16,000", long, history_tokens=16_000)
    yield lever("history summarised past 8,000", long, history_tokens=8_000)
    yield lever("results cut at 2,000", [["report"] * 8], tools=lambda: [report_tool()], result_tokens=2000)
    wide = plain.model_copy(update={"shown_tools": OPERATIONS})
    narrow = plain.model_copy(update={"shown_tools": 12})
    yield Lever(f"12 of {OPERATIONS} tools shown", once, wide, narrow, operations)
    yield lever("passages once in a prompt", [QUESTIONS], repeat_passages=False)
    yield lever("3 sentences of a passage", once, passage_sentences=3)
    yield lever("2 sentences of a passage", once, passage_sentences=2)
    yield lever("cascade, every 4th question hard", once, cascade=SMALL)
    yield lever("answers kept, every 3rd asked before", [*once, *once[::2]], answer_cache=100)


def main(
    *,
    model: Annotated[str, typer.Option(help="The model at whose price tokens are counted.")] = "openai:gpt-6.1-sol",
    small: Annotated[str, typer.Option(help="The small model of the cascade.")] = "openai:gpt-6-luna",
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file as well.")] = None,
) -> None:
    """Measure what each lever saves."""
    with TemporaryDirectory() as folder:
        results = asyncio.run(measure(Path(folder), model, small))
    # Narrower than the table, a terminal would get figures that are cut.
    console = Console(width=max(Console().width, WIDTH))
    console.print(table(results, model))
    if file:
        written = {lever.name: {"off": asdict(off), "on": asdict(on)} for lever, off, on in results}
        file.write_text(json.dumps(written, indent=2), encoding="utf-8")


async def measure(folder: Path, model: str, small: str) -> list[tuple[Lever, Figures, Figures]]:
    """Measure every lever off and on.

    Args:
        folder: where documents and threads are kept.
        model: the model at whose price tokens are counted.
        small: the same for the small model of a cascade.
    """
    base = await KnowledgeBase.open(folder / "knowledge", None)
    await base.index(SHOP / "docs")
    prices = {SMALL: small, "compatible:scripted": model}
    results = []
    for number, lever in enumerate(levers()):
        figures = []
        for name, context, kept in zip(("off", "on"), (lever.off, lever.on), lever.kept, strict=True):
            # A server of its own: nothing is kept of other prompts.
            with model_process(KeepingScript(repeat=replied)) as server:
                calls, supported = await talk(server, folder / f"{number}-{name}", base, lever, context)
            figures.append(summed(calls, prices, kept=kept, supported=supported))
        results.append((lever, figures[0], figures[1]))
    await base.close()
    return results


async def talk(
    server: ModelProcess, folder: Path, base: KnowledgeBase, lever: Lever, context: Context
) -> tuple[list[ModelCall], int]:
    """Hold the conversations of a lever, and return the model calls, and how many supporting passages were shown."""
    graph = build(settings=server.settings(folder), knowledge=base, tools=lever.tools(), checkpointer=InMemorySaver())
    calls: list[ModelCall] = []
    for number, thread in enumerate(lever.threads):
        config: RunnableConfig = {"configurable": {"thread_id": str(number)}}
        for question in thread:
            state = await graph.ainvoke({"messages": [HumanMessage(question)]}, config, context=context)
            calls += state["usage"]["calls"]
    shown = [json.dumps(body["messages"], ensure_ascii=False) for body in server.take()]
    supports = [(case["question"], text) for case in CASES for text in case["support"]]
    return calls, sum(any(asked in body and quoted(text) in body for body in shown) for asked, text in supports)


def quoted(text: str) -> str:
    """Write a text as it stands within JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def summed(calls: Sequence[ModelCall], prices: dict[str, str], *, kept: bool, supported: int) -> Figures:
    """Return what calls took.

    Args:
        calls: the calls.
        prices: the models at whose prices they are counted, by the names of those that were asked.
        kept: whether the provider charges less for what it has read before.
        supported: how many supporting passages the model was shown.
    """
    figures = Figures(supported=supported)
    for call in calls:
        cached = call["cached"] if kept else 0
        figures.calls += 1
        figures.prompt += call["input"]
        figures.cached += cached
        figures.completion += call["output"]
        cost = Prices().cost(prices[call["model"]], Tokens(call["input"], call["output"], cached))
        if_none_kept = Prices().cost(prices[call["model"]], Tokens(call["input"], call["output"]))
        if cost is None or if_none_kept is None:
            raise typer.BadParameter(f"the price of {prices[call['model']]} is not known")
        figures.cost += cost
        figures.cost_if_none_kept += if_none_kept
        figures.by_node[call["node"]] = figures.by_node.get(call["node"], 0) + 1
    return figures


def replied(body: Body) -> Reply:
    """Return the model's reply: a plan to a question, an answer to results, a record where one is asked for."""
    last = body["messages"][-1]
    if last["role"] == "system":
        return Reply(text=RECORD)
    question = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
    hard = body["model"] == "small" and question in HARD
    if last["role"] == "tool":
        return Reply(text="I do not know." if hard else ANSWER)
    if hard and QUESTIONS.index(question) % 8:
        return Reply(calls=[("look_up", {"what": question})])
    if question == "report":
        return Reply(calls=[("report", {"number": len(body["messages"])})])
    return Reply(calls=[("search", {"query": question})])


def report_tool() -> BaseTool:
    """Return a tool whose results are long."""

    async def report(number: int) -> str:
        return f"{number} ".ljust(REPORT_CHARACTERS, "x")

    return reads(StructuredTool.from_function(coroutine=report, name="report", description="Get the sales report."))


def operations() -> list[BaseTool]:
    """Return the many tools of an API."""

    async def operation(item: str, limit: int = 10) -> str:
        return item * limit

    nouns = ("order", "parcel", "invoice", "customer", "product", "review", "voucher", "store")
    verbs = ("list", "get", "find", "count", "export", "compare", "follow", "check")
    plain = [f"{verb}_{noun}{suffix}" for noun in nouns for verb in verbs for suffix in ("", "_history")]
    return [
        reads(
            StructuredTool.from_function(
                coroutine=operation,
                name=name,
                description=f"{name.replace('_', ' ').capitalize()} of the company. Give the item and how many.",
                metadata={"catalogue": "api"},
            )
        )
        for name in plain[:OPERATIONS]
    ]


def table(results: Sequence[tuple[Lever, Figures, Figures]], model: str) -> Table:
    """Return the table."""
    lines = Table(title=f"Levers, at the price of {model}", box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1))
    lines.add_column("lever", no_wrap=True)
    lines.add_column("")
    for heading in ("calls", "prompt", "kept", "reply", "US$", "saved", "saved if none is kept", "supports"):
        lines.add_column(heading, justify="right", no_wrap=True)
    for lever, off, on in results:
        lines.add_row(lever.name, "off", *_cells(off), "", "", str(off.supported))
        saved = (1 - on.cost / off.cost, 1 - on.cost_if_none_kept / off.cost_if_none_kept)
        lines.add_row("", "on", *_cells(on), *map("{:.0%}".format, saved), str(on.supported), end_section=True)
    return lines


def _cells(of: Figures) -> Iterator[str]:
    share = of.cached / of.prompt if of.prompt else 0
    yield from (f"{of.calls}", f"{of.prompt:,}", f"{share:.0%}", f"{of.completion:,}", f"{of.cost:.4f}")


if __name__ == "__main__":
    typer.run(main)
