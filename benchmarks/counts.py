"""The short form that CI runs: what can be counted, held against the counts on record. It looks at no clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import overhead, prefix, threads
from benchmarks.reports import promises
from benchmarks.turns import BASELINE, INSTANT, MODEL_CALLS, counted, measure

ON_RECORD = Path(__file__).parent / "data" / "counts.json"
SHORT_THREAD = 40
# Ids and times vary in length, by up to half a percent of a turn's bytes.
TOLERANCE = 1.02


def main(*, record: Annotated[bool, typer.Option("--record", help="Put the counts found on record.")] = False) -> None:
    """Count calls, tokens, bytes and modules. Exits with 1 where there are more than on record."""
    console = Console()
    turns = asyncio.run(measure(BASELINE, INSTANT, 1))
    shares, thread = asyncio.run(prefix.part()), asyncio.run(threads.part(SHORT_THREAD))
    found: dict[str, float] = {
        f"{what}, {each.contender}, {each.shape}": getattr(each, what)
        for each in turns
        if each.contender in MODEL_CALLS
        for what in ("calls", "prompt", "completion")
    }
    found |= {f"bytes of a turn, {kept['database']}": kept["late"] for kept in thread.figures["threads"]}
    found["input that is new, ten turns"] = round(1 - shares.figures["share"], 4)
    found["modules loaded at the first request"] = overhead.modules_at_start()
    checks = [*counted(turns), *shares.checks]
    console.print(promises(checks).rich())
    if record:
        ON_RECORD.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    worse = compared(found, json.loads(ON_RECORD.read_text(encoding="utf-8")))
    for line in worse:
        console.print(line)
    if worse or not all(check.held for check in checks):
        raise typer.Exit(1)
    console.print(f"{len(found)} counts are as on record, or better.")


def compared(found: Mapping[str, float], on_record: Mapping[str, float]) -> list[str]:
    """Return what is more than on record, or on neither side.

    Args:
        found: the counts.
        on_record: what they were.
    """
    lines = [
        f"{name}: {found[name]:,} for {on_record[name]:,} on record"
        for name in found.keys() & on_record.keys()
        if found[name] > on_record[name] * TOLERANCE
    ]
    lines += [
        f"{name}: not on record; python -m benchmarks.counts --record" for name in found.keys() - on_record.keys()
    ]
    return sorted([*lines, *(f"{name}: on record, and not counted" for name in on_record.keys() - found.keys())])


if __name__ == "__main__":
    typer.run(main)
