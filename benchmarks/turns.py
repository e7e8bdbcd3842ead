"""What a turn costs, side by side with what one would use instead."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contenders import Bench, Contender, Opening
from benchmarks.contenders.graphs import deep_agent, langchain_agent, selfhelp, selfhelp_replying
from benchmarks.contenders.openai_agents import openai_agent
from benchmarks.contenders.plain_loop import plain_loop
from benchmarks.contenders.plan_and_execute import plan_and_execute
from benchmarks.contenders.pydantic_agents import pydantic_agent
from benchmarks.critical_path import Limit, Pace, critical_path, waited
from benchmarks.model_process import ModelProcess, Script, model_process
from benchmarks.reports import Check, Sheet
from benchmarks.shapes import SHAPES, Shape, even, uneven
from tests.support.model_server import Body, chat_events, prompt_tokens

EVEN = Pace(first_token=0.4, per_token=0.01, tool=even(0.3))
UNEVEN = Pace(first_token=0.4, per_token=0.01, tool=uneven)
INSTANT = Pace(first_token=0.0, per_token=0.0, tool=even(0.0))

OURS: tuple[Opening, ...] = (selfhelp, selfhelp_replying)
BASELINE: tuple[Opening, ...] = (*OURS, langchain_agent)
OTHERS: tuple[Opening, ...] = (deep_agent, openai_agent, pydantic_agent, plain_loop)
STEPWISE: tuple[Opening, ...] = (plan_and_execute,)

MODEL_CALLS = {"selfhelp": [1, 2, 2, 2, 2, 2, 2, 3, 2], "selfhelp, reply in plan": [1, 1, 1, 1, 1, 1, 1, 2, 1]}
MOST_OVER_LIMIT = 1.03
MOST_COST = 0.6
MOST_CPU = 1.0
# Providers charge about four times as much for a token of a reply as for one of a prompt.
COMPLETION_WEIGHT = 4


@dataclass(frozen=True)
class Turn:
    """What one turn took.

    Args:
        first: seconds until the first piece of the answer.
        wall: seconds until its last.
        cpu: seconds of this process.
        requests: what the model was asked.
    """

    first: float
    wall: float
    cpu: float
    requests: Sequence[Body]


@dataclass(frozen=True)
class Figures:
    """What the turns of one contender came to in one shape: medians of the times, in seconds.

    Args:
        shape: name of the shape.
        contender: name of the contender.
        calls: model calls.
        first: seconds until the answer begins.
        wall: seconds until it ends.
        cpu: seconds of this process.
        limit: what a streamed plan and its answer cannot go below.
        prompt: tokens of all prompts.
        completion: tokens of all replies.
        torn: whether the last prompt does not begin with the whole of the first.
    """

    shape: str
    contender: str
    calls: int
    first: float
    wall: float
    cpu: float
    limit: Limit
    prompt: int
    completion: int
    torn: bool

    @property
    def cost(self) -> int:
        """Tokens, weighted as providers charge for them."""
        return self.prompt + COMPLETION_WEIGHT * self.completion


async def measure(openings: Sequence[Opening], full: Pace, repetitions: int = 1, share: float = 1.0) -> list[Figures]:
    """Measure every shape, the contenders taking turns.

    Args:
        openings: the contenders.
        full: what model and tools take.
        repetitions: turns of each contender in each shape, after one turn of each contender to warm up.
        share: how much of that they take in the measurement. What a contender would wait beside that is added, which
            is known of those that start no call before its reply has ended.
    """
    pace = full.scaled(share)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        model = stack.enter_context(model_process(Script(first_token=pace.first_token, per_token=pace.per_token)))
        ran: list[str] = []

        def latency(tool: str, args: dict[str, Any]) -> float:
            ran.append(tool)
            return pace.tool(tool, args)

        bench = Bench(model, latency, folder)
        contenders = [await stack.enter_async_context(opening(bench)) for opening in openings]
        for contender in contenders:
            await _turn(contender, SHAPES[1], model, ran)
        results: list[Figures] = []
        for shape in SHAPES:
            able = [contender for contender in contenders if contender.can(shape)]
            rounds = [[await _turn(each, shape, model, ran) for each in able] for _ in range(repetitions)]
            turns = zip(*rounds, strict=True)
            results += [_figures(each, shape, full, share, of_each) for each, of_each in zip(able, turns, strict=True)]
        return results


async def _turn(contender: Contender, shape: Shape, model: ModelProcess, ran: list[str]) -> Turn:
    ran.clear()
    model.will(*contender.script(shape))
    first, pieces = 0.0, []
    begin, cpu = time.perf_counter(), time.process_time()
    async for piece in contender.answer(shape):
        first = first or time.perf_counter() - begin
        pieces.append(piece)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    if "".join(pieces) != shape.text:
        raise RuntimeError(f"{contender.name}, {shape.name}: {pieces} is not the answer {shape.text!r}")
    # The script answers whatever the tools did: a contender whose calls fail would seem fast.
    if len(ran) != shape.executions:
        raise RuntimeError(f"{contender.name}, {shape.name}: {len(ran)} tools ran of {shape.executions}: {ran}")
    return Turn(first, wall, cpu, model.take())


def _figures(contender: Contender, shape: Shape, pace: Pace, share: float, turns: Sequence[Turn]) -> Figures:
    replies, requests = contender.script(shape), turns[-1].requests
    left_out = waited(replies, pace.scaled(1 - share))
    return Figures(
        shape.name,
        contender.name,
        len(requests),
        median(turn.first for turn in turns) + left_out.first,
        median(turn.wall for turn in turns) + left_out.whole,
        median(turn.cpu for turn in turns),
        critical_path(replies if contender.plans else shape.planned, pace),
        prompt=sum(map(prompt_tokens, requests)),
        completion=sum(chat_events({"model": ""}, reply)[-1]["usage"]["completion_tokens"] for reply in replies),
        torn=_torn(requests),
    )


def _torn(requests: Sequence[Body]) -> bool:
    first, last = (
        json.dumps(body.get("tools")) + json.dumps(body["messages"]).removesuffix("]")
        for body in (requests[0], requests[-1])
    )
    return not last.startswith(first)


def counted(results: Sequence[Figures]) -> Iterator[Check]:
    """Yield the promises that are counts, which hold wherever this runs."""
    for name, expected in MODEL_CALLS.items():
        calls = [each.calls for each in _of(name, results)]
        yield Check(f"{name}: model calls {_slashed(expected)}", _slashed(calls), held=calls == expected)
    broken = [f"{each.contender}: {each.shape}" for each in results if each.torn and each.contender in MODEL_CALLS]
    promise = "the first call's prompt begins the later ones', byte for byte"
    yield Check(promise, ", ".join(broken) or "yes", held=not broken)
    cost = {name: sum(each.cost for each in _of(name, results)) for name in (*MODEL_CALLS, "create_agent")}
    share = cost["selfhelp, reply in plan"] / cost["create_agent"]
    always = cost["selfhelp"] / cost["create_agent"]
    promise = f"prompt + 4 × completion tokens at most {MOST_COST} of create_agent's over the set"
    yield Check(promise, f"{share:.3f}; {always:.3f} if every answer takes a call of its own", held=share <= MOST_COST)


def timed(results: Sequence[Figures], latencies: str) -> Iterator[Check]:
    """Yield the promises about time, for tools of one kind of latencies."""
    ours = [each for each in results if each.contender in MODEL_CALLS]
    for what, over in (
        ("wall time", [each.wall / each.limit.whole for each in ours]),
        ("time to the answer's first token", [each.first / each.limit.first for each in ours]),
    ):
        worst = max(zip(over, ours, strict=True), key=lambda pair: pair[0])
        promise = f"{what} at most {MOST_OVER_LIMIT} of the limit in every shape, {latencies} latencies"
        yield Check(
            promise, f"{worst[0]:.3f} ({worst[1].contender}: {worst[1].shape})", held=worst[0] <= MOST_OVER_LIMIT
        )


def processor(results: Sequence[Figures]) -> Iterator[Check]:
    """Yield the promise about CPU time."""
    ratios = [
        (mine.cpu / theirs.cpu, mine.shape)
        for mine, theirs in zip(_of("selfhelp", results), _of("create_agent", results), strict=True)
    ]
    worst = max(ratios)
    promise = "CPU of a turn no more than create_agent's, in every shape"
    yield Check(promise, f"{worst[0]:.2f} ({worst[1]})", held=worst[0] <= MOST_CPU)


def sheets(results: Sequence[Figures], latencies: str) -> list[Sheet]:
    """Return the tables of wall time, and of time to the first token."""
    return [
        _sheet(
            f"Seconds to the end of the answer, {latencies} latencies",
            results,
            lambda each: f"{each.wall:.2f}",
            lambda each: f"{each.limit.whole:.2f}",
        ),
        _sheet(
            f"Seconds to its first token, {latencies} latencies",
            results,
            lambda each: f"{each.first:.2f}",
            lambda each: f"{each.limit.first:.2f}",
        ),
    ]


def counted_sheets(results: Sequence[Figures]) -> list[Sheet]:
    """Return the tables of model calls and of tokens."""
    planned = {shape.name: str(len(shape.planned)) for shape in SHAPES}
    return [
        _sheet("Model calls", results, lambda each: str(each.calls), lambda each: planned[each.shape]),
        _sheet("Prompt + 4 × completion tokens", results, lambda each: f"{each.cost:,}"),
    ]


def processor_sheet(results: Sequence[Figures]) -> Sheet:
    """Return the table of CPU time."""
    return _sheet("CPU milliseconds of a turn, without latencies", results, lambda each: f"{1000 * each.cpu:.1f}")


Cell = Callable[[Figures], str]


def _sheet(title: str, results: Sequence[Figures], figure: Cell, limit: Cell | None = None) -> Sheet:
    names = list(dict.fromkeys(each.contender for each in results))
    rows = []
    for shape in dict.fromkeys(each.shape for each in results):
        of_shape = {each.contender: each for each in results if each.shape == shape}
        cells = [figure(of_shape[name]) if name in of_shape else "–" for name in names]
        rows.append([shape, *([limit(of_shape["selfhelp"])] if limit else []), *cells])
    return Sheet(title, ["", *(["limit"] if limit else []), *names], rows)


def _of(name: str, results: Sequence[Figures]) -> list[Figures]:
    return [each for each in results if each.contender == name]


def _slashed(counts: Sequence[int]) -> str:
    return "/".join(map(str, counts))
