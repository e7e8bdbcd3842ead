"""What a long thread costs: 200 turns of five results of 2 KB, kept in SQLite: `python -m benchmarks.threads`."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

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
LOADS = 5
MOST_GROWTH = 1.1

THREAD: RunnableConfig = {"configurable": {"thread_id": "long"}}

STORED = """
    SELECT 'checkpoints', sum(length(checkpoint) + length(metadata)) FROM checkpoints
    UNION ALL SELECT 'writes to ' || channel, sum(length(value)) FROM writes WHERE length(value) > 0 GROUP BY channel
"""

Stored = Mapping[str, int]


@dataclass(frozen=True)
class Thread:
    """What a long thread took.

    Args:
        turns: seconds of each turn.
        stored: bytes stored, by table and channel, after the turns at which a window begins or ends.
        loads: seconds of each load of the thread at its end.
        size: bytes of the database at its end.
    """

    turns: Sequence[float]
    stored: Mapping[int, Stored]
    loads: Sequence[float]
    size: int

    def written(self, last: int) -> dict[str, float]:
        """Return the bytes that a turn stored, by table and channel, as a mean over the turns up to `last`."""
        before, after = self.stored[last - WINDOW], self.stored[last]
        return {place: (after[place] - before.get(place, 0)) / WINDOW for place in after}

    def seconds(self, last: int) -> float:
        """Return the seconds of a turn, as a median over the turns up to `last`."""
        return median(self.turns[last - WINDOW : last])

    @property
    def growth(self) -> float:
        """How many times the bytes of an early turn a late one stores."""
        return sum(self.written(LATE).values()) / sum(self.written(EARLY).values())


def main() -> None:
    """Run a long thread. Exits with 1 if its late turns store over a tenth more than its early ones."""
    with TemporaryDirectory() as folder, model_process(Script(repeat=replied)) as model:
        thread = asyncio.run(measure(model, model.settings(Path(folder))))
    console = Console()
    console.print(table(thread))
    console.print(f"Database {thread.size / 1e6:.1f} MB, loaded in {1000 * median(thread.loads):.0f} ms")
    held = thread.growth <= MOST_GROWTH
    console.print(f"Bytes, late to early: {thread.growth:.3f}, at most {MOST_GROWTH}: {'held' if held else 'NOT HELD'}")
    if not held:
        raise typer.Exit(1)


async def measure(model: ModelProcess, settings: Settings) -> Thread:
    """Run the thread.

    Args:
        model: replies with `replied`.
        settings: where the thread is kept.
    """
    database = settings.data_dir / THREADS_FILE
    turns: list[float] = []
    stored: dict[int, Stored] = {}
    async with open_checkpointer(settings) as saver:
        graph = build(tools=[document], checkpointer=saver, settings=settings)
        for number in range(1, TURNS + 1):
            turns.append(await turn(graph, number))
            model.forget()
            if {number, number + WINDOW} & {EARLY, LATE}:
                stored[number] = dict(stored_in(database))
    loads = [await load(settings) for _ in range(LOADS)]
    return Thread(turns, stored, loads, database.stat().st_size)


async def turn(graph: AssistantGraph, number: int) -> float:
    """Run one turn and return its seconds."""
    begin = time.perf_counter()
    await graph.ainvoke({"messages": [HumanMessage(f"What do the documents of day {number} say?")]}, THREAD)
    return time.perf_counter() - begin


async def load(settings: Settings) -> float:
    """Load the whole thread with a graph and a connection of its own, and return the seconds."""
    async with open_checkpointer(settings) as saver:
        graph = build(checkpointer=saver, settings=settings)
        begin = time.perf_counter()
        state = await graph.aget_state(THREAD)
        seconds = time.perf_counter() - begin
    assert sum(message.type == "human" for message in state.values["messages"]) == TURNS, "no turn is lost"
    return seconds


def stored_in(database: Path) -> Iterator[tuple[str, int]]:
    """Yield how many bytes each table and channel holds."""
    with closing(sqlite3.connect(database)) as connection:
        yield from connection.execute(STORED)


def replied(body: Body) -> Reply:
    """Return the model's reply: a plan to a question, an answer to results."""
    if body["messages"][-1]["role"] == "user":
        return Reply(calls=[("document", {"number": number}) for number in range(1, RESULTS + 1)])
    return Reply(text="All five documents say the same.")


@reads
@tool
async def document(number: int) -> str:
    """Read a document."""
    return f"{number} ".ljust(RESULT_BYTES, "x")


def table(thread: Thread) -> Table:
    """Return the table of what early and late turns store and take."""
    early, late = f"turns {EARLY - WINDOW + 1}-{EARLY}", f"turns {LATE - WINDOW + 1}-{LATE}"
    lines = Table("a turn", title="A long thread", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in (early, late):
        lines.add_column(heading, justify="right")
    before, after = thread.written(EARLY), thread.written(LATE)
    for place in after:
        lines.add_row(f"bytes, {place}", f"{before.get(place, 0):,.0f}", f"{after[place]:,.0f}")
    lines.add_row("bytes", f"{sum(before.values()):,.0f}", f"{sum(after.values()):,.0f}")
    lines.add_row("milliseconds", f"{1000 * thread.seconds(EARLY):.0f}", f"{1000 * thread.seconds(LATE):.0f}")
    return lines


if __name__ == "__main__":
    typer.run(main)
