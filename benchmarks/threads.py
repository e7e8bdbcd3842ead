"""What a long thread costs: 500 turns of five results of 2 KB, kept in SQLite and in PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from pydantic import SecretStr

from agent.checkpoints import THREADS_FILE, open_checkpointer
from agent.settings import Settings
from benchmarks.model_process import ModelProcess, Script, model_process
from benchmarks.reports import Check, Part, Sheet
from graphs.assistant import AssistantGraph, build
from tests.support import postgres
from tests.support.model_server import Body, Reply
from tools.effects import reads

TURNS = 500
WINDOW = 5
EARLY = 10
RESULTS, RESULT_BYTES = 5, 2000
LOADS = 5
MOST_GROWTH = 1.1
MOST_LOAD = 0.050

THREAD: RunnableConfig = {"configurable": {"thread_id": "long"}}

IN_SQLITE = """
    SELECT (SELECT sum(length(checkpoint) + length(metadata)) FROM checkpoints)
         + (SELECT coalesce(sum(length(value)), 0) FROM writes)
"""
IN_POSTGRES = """
    SELECT (SELECT sum(pg_column_size(checkpoint) + pg_column_size(metadata)) FROM checkpoints)
         + (SELECT coalesce(sum(length(blob)), 0) FROM checkpoint_blobs)
         + (SELECT coalesce(sum(length(blob)), 0) FROM checkpoint_writes)
"""


@dataclass(frozen=True)
class Thread:
    """What a long thread took.

    Args:
        database: where it was kept.
        early: bytes that one of its first turns stored.
        late: bytes that a later turn stored, snapshots included, as a mean to its end.
        early_turn: seconds of one of its first turns.
        late_turn: seconds of one of its last turns.
        early_load: seconds to load it after its tenth turn.
        late_load: seconds to load it after its last turn.
    """

    database: str
    early: float
    late: float
    early_turn: float
    late_turn: float
    early_load: float
    late_load: float


async def part(turns: int = TURNS) -> Part:
    """Run the thread in each database.

    Args:
        turns: how many turns it has.
    """
    threads = [thread async for thread in _threads(turns)]
    rows = [
        [
            thread.database,
            *(f"{bytes_:,.0f}" for bytes_ in (thread.early, thread.late)),
            *(f"{1000 * seconds:.0f}" for seconds in (thread.early_turn, thread.late_turn)),
            *(f"{1000 * seconds:.0f}" for seconds in (thread.early_load, thread.late_load)),
        ]
        for thread in threads
    ]
    stored = [f"bytes a turn, to turn {EARLY}", f"to turn {turns}"]
    headings = [*stored, *(f"{what}, turn {turn}" for what in ("turn ms", "load ms") for turn in (EARLY, turns))]
    checks = [check for thread in threads for check in _checks(thread, turns)]
    return Part(
        [Sheet("A long thread", ("", *headings), rows)], checks, {"threads": [asdict(each) for each in threads]}
    )


def _checks(thread: Thread, turns: int) -> Sequence[Check]:
    growth, load = thread.late / thread.early, thread.late_load - thread.early_load
    return (
        Check(
            f"{thread.database}: bytes of a turn flat to turn {turns}", f"{growth:.2f} ×", held=growth <= MOST_GROWTH
        ),
        Check(
            f"{thread.database}: {turns} turns load within {1000 * MOST_LOAD:.0f} ms of {EARLY}",
            f"{1000 * load:.0f} ms more",
            held=load <= MOST_LOAD,
        ),
    )


async def _threads(turns: int) -> AsyncIterator[Thread]:
    with TemporaryDirectory() as folder, model_process(Script(repeat=_replied)) as model:
        settings = model.settings(Path(folder))
        yield await _measured("SQLite", model, settings, turns)
        if postgres.is_installed():
            with postgres.serve() as address:
                kept = settings.model_copy(update={"database_url": SecretStr(address)})
                yield await _measured("PostgreSQL", model, kept, turns)


async def _measured(database: str, model: ModelProcess, settings: Settings, turns: int) -> Thread:
    taken: list[float] = []
    stored: dict[int, int] = {}
    loads: dict[int, float] = {}
    async with open_checkpointer(settings) as saver:
        graph = build(tools=[document], checkpointer=saver, settings=settings)
        for number in range(1, turns + 1):
            taken.append(await _turn(graph, number))
            model.forget()
            if number in (EARLY - WINDOW, EARLY, turns):
                stored[number] = _stored(settings)
            if number in (EARLY, turns):
                loads[number] = median([await _load(settings, number) for _ in range(LOADS)])
    return Thread(
        database,
        (stored[EARLY] - stored[EARLY - WINDOW]) / WINDOW,
        (stored[turns] - stored[EARLY]) / (turns - EARLY),
        *(median(taken[last - WINDOW : last]) for last in (EARLY, turns)),
        *(loads[last] for last in (EARLY, turns)),
    )


async def _turn(graph: AssistantGraph, number: int) -> float:
    begin = time.perf_counter()
    await graph.ainvoke({"messages": [HumanMessage(f"What do the documents of day {number} say?")]}, THREAD)
    return time.perf_counter() - begin


async def _load(settings: Settings, turns: int) -> float:
    """Load the whole thread with a graph and a connection of its own, and return the seconds."""
    async with open_checkpointer(settings) as saver:
        graph = build(checkpointer=saver, settings=settings)
        begin = time.perf_counter()
        state = await graph.aget_state(THREAD)
        seconds = time.perf_counter() - begin
    assert sum(message.type == "human" for message in state.values["messages"]) == turns, "no turn is lost"
    return seconds


def _stored(settings: Settings) -> int:
    """Return the bytes of all checkpoints and writes."""
    if settings.database_url is None:
        with closing(sqlite3.connect(settings.data_dir / THREADS_FILE)) as connection:
            return int(connection.execute(IN_SQLITE).fetchone()[0])
    import psycopg

    with psycopg.connect(settings.database_url.get_secret_value()) as server:
        row = server.execute(IN_POSTGRES).fetchone()
    assert row is not None, "a sum is one row"
    return int(row[0])


def _replied(body: Body) -> Reply:
    """Return the model's reply: a plan to a question, a text to anything else."""
    if body["messages"][-1]["role"] == "user":
        return Reply(calls=[("document", {"number": number}) for number in range(1, RESULTS + 1)])
    return Reply(text="All five documents say the same.")


@reads
@tool
async def document(number: int) -> str:
    """Read a document."""
    return f"{number} ".ljust(RESULT_BYTES, "x")
