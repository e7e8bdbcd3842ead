"""How much of a thread's prompts repeats: providers charge about a tenth for a prefix that they have read before."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from agent.checkpoints import open_checkpointer
from benchmarks.contenders.graphs import Graph
from benchmarks.model_process import ModelProcess, Script, model_process
from benchmarks.reports import Check, Part, Sheet
from benchmarks.shapes import SHAPES, Shape, even, shop_tools
from graphs.assistant import build
from tests.support.model_server import Body

TURNS = 10
LEAST_SHARE = 0.85
THREAD: RunnableConfig = {"configurable": {"thread_id": "ten"}}


@dataclass(frozen=True)
class Call:
    """One model call of the thread.

    Args:
        turn: number of its turn, from 1.
        prompt: bytes of tools and messages.
        repeated: how many of them, from the first on, are those of the call before.
    """

    turn: int
    prompt: int
    repeated: int


async def part() -> Part:
    """Run a thread of ten turns, each of another shape."""
    calls = [call async for call in _calls()]
    share = sum(call.repeated for call in calls) / sum(call.prompt for call in calls)
    rows = [
        [f"turn {number}", str(len(of_turn)), f"{_sum(of_turn, 'prompt'):,}", f"{_share(of_turn):.1%}"]
        for number in range(1, TURNS + 1)
        if (of_turn := [call for call in calls if call.turn == number])
    ]
    rows.append(["all", str(len(calls)), f"{_sum(calls, 'prompt'):,}", f"{share:.1%}"])
    sheet = Sheet("A thread of ten turns", ["", "model calls", "prompt bytes", "repeated prefix"], rows)
    promise = f"at least {LEAST_SHARE:.0%} of the input of ten turns is a repeated prefix"
    return Part([sheet], [Check(promise, f"{share:.1%}", held=share >= LEAST_SHARE)], {"share": share})


async def _calls() -> AsyncIterator[Call]:
    with TemporaryDirectory() as folder, model_process(Script()) as model:
        settings = model.settings(Path(folder))
        async with open_checkpointer(settings) as saver:
            graph = build(tools=shop_tools(even(0)), checkpointer=saver, settings=settings)
            prompts: list[tuple[int, str]] = [(0, "")]
            for turn in range(1, TURNS + 1):
                prompts += [(turn, _prompt(body)) for body in await _turn(graph, model, _shape(turn))]
    for (_, before), (turn, prompt) in pairwise(prompts):
        yield Call(turn, len(prompt), _common(before, prompt))


def _common(one: str, other: str) -> int:
    return next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), len(one))


def _shape(turn: int) -> Shape:
    able = [shape for shape in SHAPES if not shape.approved]
    return able[turn % len(able)]


async def _turn(graph: Graph, model: ModelProcess, shape: Shape) -> Sequence[Body]:
    model.will(*shape.planned)
    await graph.ainvoke({"messages": [HumanMessage(shape.question)]}, THREAD)
    return model.take()


def _prompt(body: Body) -> str:
    return json.dumps(body["tools"]) + json.dumps(body["messages"]).removesuffix("]")


def _sum(calls: Sequence[Call], name: str) -> int:
    return sum(getattr(call, name) for call in calls)


def _share(calls: Sequence[Call]) -> float:
    return _sum(calls, "repeated") / _sum(calls, "prompt")
