"""Everything, in one run on one machine: `python -m benchmarks`."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import knowledge, overhead, prefix, service, threads, turns
from benchmarks.contenders.graphs import langchain_agent
from benchmarks.plots import draw
from benchmarks.reports import Part, Sheet, promises

PACKAGES = ("langgraph", "langchain", "deepagents", "openai-agents", "pydantic-ai-slim", "openai", "chromadb")
PAGE = Path("docs/benchmarks.md")
PICTURES = Path("docs/images")
FIGURES = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->)", re.DOTALL)
BUSY = 0.5


def main(
    *,
    write: Annotated[bool, typer.Option("--write", help="Put tables and pictures into docs/.")] = False,
    file: Annotated[Path, typer.Option("--json", help="Where the numbers go.")] = Path("benchmarks.json"),
) -> None:
    """Measure Selfhelp beside what one would use instead. Exits with 1 where a promise is not held."""
    console = Console(width=170)
    load, began = os.getloadavg()[0], time.time()
    if load > BUSY:
        console.print(f"[yellow]This machine is busy (load {load:.1f}): times will be wrong.[/yellow]")
    parts = []
    for name, part in _parts(PICTURES if write else None):
        console.rule(name)
        parts.append(part())
        console.print(parts[-1].rich(), f"{time.time() - began:.0f} s so far")
    checks = [check for part in parts for check in part.checks]
    machine = _machine(load)
    report = {"machine": machine, "checks": [asdict(check) for check in checks], "parts": [p.figures for p in parts]}
    file.write_text(json.dumps(report, indent=2), encoding="utf-8")
    if write:
        sheets = [promises(checks), *(sheet for part in parts for sheet in part.sheets)]
        PAGE.write_text(_with(PAGE.read_text(encoding="utf-8"), sheets, machine), encoding="utf-8")
    console.print(f"{sum(check.held for check in checks)} of {len(checks)} promises held, {time.time() - began:.0f} s")
    if not all(check.held for check in checks):
        raise typer.Exit(1)


def _parts(pictures: Path | None) -> Iterator[tuple[str, Callable[[], Part]]]:
    yield "Turns", lambda: asyncio.run(_turns(pictures))
    yield "CPU of turns", lambda: asyncio.run(_processor())
    yield "CPU of tokens", lambda: asyncio.run(overhead.tokens_part(repetitions=3))
    yield "Start", lambda: overhead.start_part(repetitions=4)
    yield "Prefix", lambda: asyncio.run(prefix.part())
    yield "Long threads", lambda: asyncio.run(threads.part())
    yield "Service", service.part
    yield "Knowledge", knowledge.part


async def _turns(pictures: Path | None) -> Part:
    even = [
        *await turns.measure(turns.OURS, turns.EVEN, repetitions=2),
        *await turns.measure((langchain_agent,), turns.EVEN),
        *await turns.measure(turns.OTHERS, turns.EVEN, share=0.25),
        *await turns.measure(turns.STEPWISE, turns.EVEN, share=0.1),
    ]
    uneven = [
        *await turns.measure(turns.OURS, turns.UNEVEN),
        *await turns.measure((langchain_agent,), turns.UNEVEN, share=0.25),
    ]
    if pictures:
        draw(even, pictures)
    return Part(
        [*turns.sheets(even, "even"), *turns.sheets(uneven, "uneven"), *turns.counted_sheets(even)],
        [*turns.counted(even), *turns.timed(even, "even"), *turns.timed(uneven, "uneven")],
        {"even": [asdict(each) for each in even], "uneven": [asdict(each) for each in uneven]},
    )


async def _processor() -> Part:
    results = await turns.measure((*turns.BASELINE, *turns.OTHERS), turns.INSTANT, repetitions=10)
    return Part([turns.processor_sheet(results)], [*turns.processor(results)], {"cpu": [asdict(e) for e in results]})


def _machine(load: float) -> dict[str, Any]:
    packages = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "processors": os.cpu_count(), "load": load, "packages": packages}


def _with(page: str, sheets: list[Sheet], machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    taken = f"{machine['processors']} processors, Python {machine['python']}, {packages}."
    tables = "\n\n".join(sheet.markdown() for sheet in sheets)
    return FIGURES.sub(lambda found: f"{found[1]}\n{taken}\n\n{tables}\n\n{found[2]}", page)


if __name__ == "__main__":
    typer.run(main)
