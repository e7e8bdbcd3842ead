"""What a turn costs, side by side with LangChain's `create_agent`: `python -m benchmarks.turns`."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import Contender, Turn, contenders
from benchmarks.critical_path import Pace
from benchmarks.model_process import Script, model_process
from benchmarks.shapes import SHAPES, Shape
from tests.support.model_server import Body

REAL = Pace(first_token=0.4, per_token=0.01, tool=0.3)
INSTANT = Pace(first_token=0.0, per_token=0.0, tool=0.0)
REPETITIONS, INSTANT_REPETITIONS = 5, 60

MODEL_CALLS = [1, 1, 2, 2, 2, 2, 2, 2]
CLOSE_TO_CRITICAL_PATH = ("chain of 4", "4 parallel", "3 then 1")
MOST_OVER_CRITICAL_PATH = 1.05
MOST_PROMPT_TOKENS = 0.5


@dataclass(frozen=True)
class Figures:
    """What the turns of one contender came to: medians of the times, in seconds."""

    model_calls: int
    wall: float
    critical_path: float
    cpu: float
    prompt: int
    completion: int


@dataclass(frozen=True)
class Measured:
    """One shape, measured.

    Args:
        shape: its name.
        selfhelp: figures of Selfhelp.
        create_agent: figures of `create_agent`.
        wall_ratio: median over the repetitions of Selfhelp's time to that of `create_agent` just after it.
        cpu_ratio: the same of CPU time.
        torn: whether Selfhelp's last prompt does not begin with the whole of its first.
    """

    shape: str
    selfhelp: Figures
    create_agent: Figures
    wall_ratio: float
    cpu_ratio: float
    torn: bool


@dataclass(frozen=True)
class Check:
    """A promise of the design, and what was found.

    Args:
        promise: what should be.
        found: what is.
        held: whether that is so.
        counted: whether it is a count, which holds wherever this runs, rather than a time.
    """

    promise: str
    found: str
    held: bool
    counted: bool


def main(
    *,
    cpu: Annotated[bool, typer.Option("--cpu", help="Measure CPU time, with all latencies zero.")] = False,
    repetitions: Annotated[int | None, typer.Option(min=1, help="Turns to take the median of.")] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file as well.")] = None,
) -> None:
    """Measure turns of several shapes. Exits with 1 if a count is not what the design promises."""
    console = Console()
    load = os.getloadavg()[0]
    console.print(f"Load before the start: {load:.2f} on {os.cpu_count()} processors")
    pace, usual = (INSTANT, INSTANT_REPETITIONS) if cpu else (REAL, REPETITIONS)
    results = asyncio.run(measure(pace, repetitions or usual))
    checks = [*counts(results), *(cpu_times(results) if cpu else wall_times(results))]
    console.print(cpu_table(results) if cpu else wall_table(results), check_table(checks))
    if file:
        file.write_text(json.dumps(report(results, checks, load), indent=2), encoding="utf-8")
    if any(check.counted and not check.held for check in checks):
        raise typer.Exit(1)


async def measure(pace: Pace, repetitions: int) -> list[Measured]:
    """Measure every shape, the contenders taking turns.

    Args:
        pace: what model and tools take.
        repetitions: turns of each contender in each shape, after one to warm up.
    """
    with model_process(Script(first_token=pace.first_token, per_token=pace.per_token)) as model:
        async with contenders(model, pace.tool) as (selfhelp, create_agent):
            results = []
            for shape in SHAPES:
                pairs = [(await selfhelp.turn(shape), await create_agent.turn(shape)) for _ in range(1 + repetitions)]
                ours, theirs = zip(*pairs[1:], strict=True)
                results.append(
                    Measured(
                        shape.name,
                        figures(selfhelp, shape, pace, ours),
                        figures(create_agent, shape, pace, theirs),
                        median(one.wall / other.wall for one, other in pairs[1:]),
                        median(one.cpu / other.cpu for one, other in pairs[1:]),
                        torn(ours[-1].requests),
                    )
                )
            return results


def figures(contender: Contender, shape: Shape, pace: Pace, turns: Sequence[Turn]) -> Figures:
    """Return what a contender's turns of one shape came to."""
    return Figures(
        len(turns[-1].requests),
        median(turn.wall for turn in turns),
        contender.critical_path(shape, pace),
        median(turn.cpu for turn in turns),
        turns[-1].prompt,
        turns[-1].completion,
    )


def torn(requests: Sequence[Body]) -> bool:
    """Whether the last request's prompt does not begin with the whole of the first one's, byte for byte."""
    first, last = (
        json.dumps(body["tools"]) + json.dumps(body["messages"]).removesuffix("]")
        for body in (requests[0], requests[-1])
    )
    return not last.startswith(first)


def counts(results: Sequence[Measured]) -> Iterator[Check]:
    """Yield the promises that are counts."""
    calls = [each.selfhelp.model_calls for each in results]
    yield Check(f"model calls {slashed(MODEL_CALLS)}", slashed(calls), calls == MODEL_CALLS, counted=True)
    broken = [each.shape for each in results if each.torn]
    promise = "the first call's prompt begins the second's, byte for byte"
    yield Check(promise, ", ".join(broken) or "yes", not broken, counted=True)
    share = next(each.selfhelp.prompt / each.create_agent.prompt for each in results if each.shape == "chain of 4")
    promise = f"chain of 4: prompt tokens at most {MOST_PROMPT_TOKENS} of create_agent's"
    yield Check(promise, f"{share:.3f}", share <= MOST_PROMPT_TOKENS, counted=True)


def wall_times(results: Sequence[Measured]) -> Iterator[Check]:
    """Yield the promises about time."""
    for each in results:
        if each.shape in CLOSE_TO_CRITICAL_PATH:
            over = each.selfhelp.wall / each.selfhelp.critical_path
            promise = f"{each.shape}: wall at most {MOST_OVER_CRITICAL_PATH} of the critical path"
            yield Check(promise, f"{over:.3f}", over <= MOST_OVER_CRITICAL_PATH, counted=False)


def cpu_times(results: Sequence[Measured]) -> Iterator[Check]:
    """Yield the promises about CPU time."""
    for each in results:
        promise = f"{each.shape}: no more CPU than create_agent"
        yield Check(promise, f"{each.cpu_ratio:.2f}", each.cpu_ratio <= 1, counted=False)


def wall_table(results: Sequence[Measured]) -> Table:
    """Return the table of wall times and counts."""
    lines = _table("One turn, medians", "shape", "agent")
    for heading in ("calls", "wall s", "path s", "wall/path", "prompt", "out", "ratio"):
        lines.add_column(heading, justify="right", no_wrap=True)
    for each in results:
        lines.add_row(each.shape, "selfhelp", *_cells(each.selfhelp), f"{each.wall_ratio:.2f}")
        lines.add_row("", "create_agent", *_cells(each.create_agent), "1", end_section=True)
    return lines


def cpu_table(results: Sequence[Measured]) -> Table:
    """Return the table of CPU times."""
    lines = _table("CPU of one turn with all latencies zero, medians", "shape")
    for heading in ("selfhelp ms", "create_agent ms", "ratio"):
        lines.add_column(heading, justify="right")
    for each in results:
        ours, theirs = 1000 * each.selfhelp.cpu, 1000 * each.create_agent.cpu
        lines.add_row(each.shape, f"{ours:.1f}", f"{theirs:.1f}", f"{each.cpu_ratio:.2f}")
    return lines


def check_table(checks: Sequence[Check]) -> Table:
    """Return the table of promises."""
    lines = _table("Promises", "promise", "found", "held")
    for check in checks:
        lines.add_row(check.promise, check.found, "yes" if check.held else "[red]NO[/red]")
    return lines


def report(results: Sequence[Measured], checks: Sequence[Check], load: float) -> dict[str, Any]:
    """Return everything as JSON, with what it was taken on."""
    packages = ("langgraph", "langchain", "langchain-core", "langchain-openai")
    return {
        "machine": {"python": platform.python_version(), "processors": os.cpu_count(), "load": load},
        "packages": {name: version(name) for name in packages},
        "shapes": [asdict(each) for each in results],
        "checks": [asdict(check) for check in checks],
    }


def slashed(numbers: Sequence[int]) -> str:
    """Write counts as the design does."""
    return "/".join(map(str, numbers))


def _table(title: str, *headings: str) -> Table:
    return Table(*headings, title=title, box=box.SIMPLE_HEAD, padding=0, pad_edge=False, title_justify="left")


def _cells(of: Figures) -> Iterator[str]:
    yield from (str(of.model_calls), f"{of.wall:.3f}", f"{of.critical_path:.3f}", f"{of.wall / of.critical_path:.3f}")
    yield from (str(of.prompt), str(of.completion))


if __name__ == "__main__":
    typer.run(main)
