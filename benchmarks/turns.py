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
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import Contender, Turn, contenders
from benchmarks.critical_path import Pace
from benchmarks.model_process import Script, model_process
from benchmarks.shapes import SHAPES, Shape
from tests.support.model_server import Body

REAL = Pace(first_token=0.4, per_token=0.01, tool=0.3)
INSTANT = Pace(first_token=0.0, per_token=0.0, tool=0.0)

MODEL_CALLS = [1, 1, 2, 2, 2, 2, 2, 2]
CLOSE_TO_CRITICAL_PATH = ("chain of 4", "4 parallel", "3 then 1")
MOST_OVER_CRITICAL_PATH = 1.05
MOST_PROMPT_TOKENS = 0.5


@dataclass(frozen=True)
class Row:
    """One line of the table: medians of the turns of one shape."""

    shape: str
    agent: str
    model_calls: int
    wall: float
    critical_path: float
    cpu: float
    prompt: int
    completion: int


@dataclass(frozen=True)
class Check:
    """A promise of the design, and what was found.

    Args:
        promise: what should be.
        found: what is.
        held: whether that is so.
        counted: whether it is a count, which must hold wherever this runs, rather than a time.
    """

    promise: str
    found: str
    held: bool
    counted: bool


def main(
    *,
    cpu: Annotated[bool, typer.Option("--cpu", help="Measure CPU time, with all latencies zero.")] = False,
    repetitions: Annotated[
        int | None, typer.Option(min=1, help="Turns to take the median of; 5, or 30 with --cpu.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file as well.")] = None,
) -> None:
    """Measure turns of several shapes. Exits with 1 if a count is not what the design promises."""
    console = Console()
    load = os.getloadavg()[0]
    console.print(f"Load before the start: {load:.2f} on {os.cpu_count()} processors")
    rows, checks = asyncio.run(measure(INSTANT if cpu else REAL, repetitions or (30 if cpu else 5)))
    console.print(cpu_table(rows) if cpu else table(rows), check_table(checks))
    if file:
        file.write_text(json.dumps(report(rows, checks, load), indent=2), encoding="utf-8")
    if any(check.counted and not check.held for check in checks):
        raise typer.Exit(1)


async def measure(pace: Pace, repetitions: int) -> tuple[list[Row], list[Check]]:
    """Measure every shape, the contenders taking turns.

    Args:
        pace: what model and tools take.
        repetitions: turns of each contender in each shape, after one to warm up.
    """
    rows: list[Row] = []
    requests: dict[str, Sequence[Body]] = {}
    with model_process(Script(first_token=pace.first_token, per_token=pace.per_token)) as model:
        async with contenders(model, pace.tool) as both:
            for shape in SHAPES:
                turns = [[await contender.turn(shape) for contender in both] for _ in range(1 + repetitions)]
                pairs = zip(both, zip(*turns[1:], strict=True), strict=True)
                rows += [row(shape, contender, each, pace) for contender, each in pairs]
                requests[shape.name] = turns[-1][0].requests
    return rows, [*counts(rows, requests), *(cpu_times(rows) if pace is INSTANT else wall_times(rows))]


def row(shape: Shape, contender: Contender, turns: Sequence[Turn], pace: Pace) -> Row:
    """Return the line of a shape and a contender."""
    return Row(
        shape.name,
        contender.name,
        len(turns[-1].requests),
        median(turn.wall for turn in turns),
        contender.critical_path(shape, pace),
        median(turn.cpu for turn in turns),
        turns[-1].prompt,
        turns[-1].completion,
    )


def counts(rows: Sequence[Row], requests: dict[str, Sequence[Body]]) -> Iterator[Check]:
    """Yield the promises that are counts."""
    calls = [ours.model_calls for ours, _ in paired(rows)]
    yield Check(f"model calls {written(MODEL_CALLS)}", written(calls), calls == MODEL_CALLS, counted=True)
    prompts = {shape: [prompt(body) for body in bodies] for shape, bodies in requests.items()}
    torn = [shape for shape, each in prompts.items() if not each[-1].startswith(each[0])]
    yield Check(
        "the first call's prompt begins the second's, byte for byte", ", ".join(torn) or "yes", not torn, counted=True
    )
    share = next(ours.prompt / theirs.prompt for ours, theirs in paired(rows) if ours.shape == "chain of 4")
    promise = f"prompt tokens of the chain of 4 at most {MOST_PROMPT_TOKENS} of create_agent's"
    yield Check(promise, f"{share:.3f}", share <= MOST_PROMPT_TOKENS, counted=True)


def wall_times(rows: Sequence[Row]) -> Iterator[Check]:
    """Yield the promises about time."""
    for ours, _ in paired(rows):
        if ours.shape in CLOSE_TO_CRITICAL_PATH:
            over = ours.wall / ours.critical_path
            promise = f"{ours.shape}: wall at most {MOST_OVER_CRITICAL_PATH} of the critical path"
            yield Check(promise, f"{over:.3f}", over <= MOST_OVER_CRITICAL_PATH, counted=False)


def cpu_times(rows: Sequence[Row]) -> Iterator[Check]:
    """Yield the promises about CPU time."""
    for ours, theirs in paired(rows):
        ratio = ours.cpu / theirs.cpu
        yield Check(f"{ours.shape}: no more CPU than create_agent", f"{ratio:.2f}", ratio <= 1, counted=False)


def paired(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Yield the two lines of each shape."""
    yield from zip(rows[::2], rows[1::2], strict=True)


def prompt(body: Body) -> str:
    """Return a request's prompt as text that the prompt of a later request can begin with."""
    return json.dumps(body["tools"]) + json.dumps(body["messages"]).removesuffix("]")


def written(numbers: Sequence[int]) -> str:
    """Write counts as the design does."""
    return "/".join(map(str, numbers))


def table(rows: Sequence[Row]) -> Table:
    """Return the table of wall times and counts."""
    lines = Table(title="A turn (medians)")
    for heading in ("shape", "agent"):
        lines.add_column(heading)
    for heading in ("calls", "wall s", "path s", "wall/path", "prompt", "completion", "wall ratio", "tokens ratio"):
        lines.add_column(heading, justify="right")
    for ours, theirs in paired(rows):
        ratios = f"{ours.wall / theirs.wall:.2f}", f"{ours.prompt / theirs.prompt:.2f}"
        lines.add_row(*cells(ours), *ratios)
        lines.add_row(*cells(theirs), end_section=True)
    return lines


def cells(line: Row) -> Iterator[str]:
    """Yield a line's cells, all but the ratios."""
    yield from (line.shape, line.agent, str(line.model_calls), f"{line.wall:.3f}", f"{line.critical_path:.3f}")
    yield from (f"{line.wall / line.critical_path:.3f}", str(line.prompt), str(line.completion))


def cpu_table(rows: Sequence[Row]) -> Table:
    """Return the table of CPU times."""
    lines = Table(title="CPU of a turn with all latencies zero (medians)")
    lines.add_column("shape")
    for heading in ("selfhelp ms", "create_agent ms", "ratio"):
        lines.add_column(heading, justify="right")
    for ours, theirs in paired(rows):
        lines.add_row(ours.shape, f"{1000 * ours.cpu:.1f}", f"{1000 * theirs.cpu:.1f}", f"{ours.cpu / theirs.cpu:.2f}")
    return lines


def check_table(checks: Sequence[Check]) -> Table:
    """Return the table of promises."""
    lines = Table("promise", "found", "held", title="Promises")
    for check in checks:
        lines.add_row(check.promise, check.found, "yes" if check.held else "[red]NO[/red]")
    return lines


def report(rows: Sequence[Row], checks: Sequence[Check], load: float) -> dict[str, Any]:
    """Return everything as JSON, with what it was taken on."""
    machine = {"python": platform.python_version(), "processors": os.cpu_count(), "load": load}
    packages = {name: version(name) for name in ("langgraph", "langchain", "langchain-core", "langchain-openai")}
    return {
        "machine": machine,
        "packages": packages,
        "rows": [asdict(line) for line in rows],
        "checks": [asdict(check) for check in checks],
    }


if __name__ == "__main__":
    typer.run(main)
