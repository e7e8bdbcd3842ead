"""What a long thread costs: two hundred turns of five results of 2 KB, on SQLite: `python -m benchmarks.threads`."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import typer
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from rich import box
from rich.console import Console
from rich.table import Table

from agent.checkpoints import THREADS_FILE, open_checkpointer
from agent.settings import Settings
from benchmarks.model_process import ModelProcess, Script, model_process
from graphs.assistant import AssistantGraph, build
from tests.support.model_server import Body, Reply
from tools.effects import reads

TURNS = 200
WINDOW = 5
EARLY, LATE = 10, TURNS
RESULTS, RESULT_BYTES = 5, 2000
MOST_GROWTH = 1.1
LOADS = 5

THREAD: RunnableConfig = {"configurable": {"thread_id": "long"}}

# What each turn adds to the file, by where it goes: overwritten and deleted rows do not occur in a run of whole turns.
STORED = """
    SELECT 'checkpoints', sum(length(checkpoint) + length(metadata)) FROM checkpoints
    UNION ALL SELECT 'writes: ' || channel, sum(length(value)) FROM writes GROUP BY channel
"""


@dataclass(frozen=True)
class Stored:
    """What a database holds.

    Args:
        blobs: bytes of the values in it, by table and channel.
        pages: bytes of the database's pages.
    """

    blobs: dict[str, int]
    pages: int


@dataclass(frozen=True)
class Growth:
    """What the turns of a window came to, each.

    Args:
        blobs: bytes that a turn adds, by table and channel.
        pages: bytes that a turn adds to the database's pages.
        seconds: what a turn takes.
    """

    blobs: dict[str, float]
    pages: float
    seconds: float

    @property
    def written(self) -> float:
        """Bytes that a turn adds."""
        return sum(self.blobs.values())


def main() -> None:
    """Run a long thread. Exits with 1 if a late turn writes a tenth more than an early one."""
    with TemporaryDirectory() as folder, model_process(Script(repeat=replied)) as model:
        early, late, loads, size = asyncio.run(measure(model, Path(folder)))
    console = Console()
    console.print(table(early, late))
    console.print(f"database {size / 1e6:.1f} MB, thread loaded in {1000 * median(loads):.0f} ms")
    growth = late.written / early.written
    held = growth <= MOST_GROWTH
    console.print(f"bytes of turn {LATE} / turn {EARLY}: {growth:.3f}, at most {MOST_GROWTH}: {'yes' if held else 'NO'}")
    if not held:
        raise typer.Exit(1)


def replied(body: Body) -> Reply:
    """Return the model's reply: a plan to a question, an answer to results."""
    if body["messages"][-1]["role"] == "user":
        return Reply(calls=[("document", {"number": number}) for number in range(RESULTS)])
    return Reply(text="All five documents say the same.")


async def measure(model: ModelProcess, folder: Path) -> tuple[Growth, Growth, list[float], int]:
    """Run the thread.

    Returns:
        What an early and a late turn came to, the seconds that each load took, and the size of the database.
    """
    settings = Settings(data_dir=folder)
    database = folder / THREADS_FILE
    seconds: list[float] = []
    async with open_checkpointer(settings) as saver:
        graph = build(model=model.chat, tools=[document], checkpointer=saver, settings=settings)
        stored = {number: stored_in(database) async for number in _turns(graph, model, seconds) if _bounds(number)}
    loads = [await load_seconds(settings, model) for _ in range(LOADS)]
    return growth(stored, seconds, EARLY), growth(stored, seconds, LATE), loads, database.stat().st_size


def _bounds(number: int) -> bool:
    return number in (EARLY - WINDOW, EARLY, LATE - WINDOW, LATE)
