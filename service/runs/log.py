"""The log of events: numbered and committed before anybody sees them, many runs' in one transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, exists, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.records.tables import events, runs
from service.runs.records import END, ERROR, TOKEN, Event, Outcome, Run
from service.runs.store import hold
from service.runs.tasks import Why

# Seconds between writes of pieces of answers that have begun. What else happens is written at once, and they with it.
PIECES_EVERY = 0.05
# Seconds between attempts to write. A database that is away for longer ends the runs here.
RETRY_AFTER = (0.2, 1.0, 3.0)
NOT_RECORDED = "the service's database cannot be written now: ask for this run again soon, nothing of it is lost"

log = logging.getLogger(__name__)

# Made once: SQLAlchemy takes longer to put a statement together than SQLite to run it.
_BEHIND = (
    select(events.c.number, events.c.event, events.c.data)
    .where(events.c.run_id == bindparam("run"), events.c.number > bindparam("after"))
    .order_by(events.c.number)
)
_ENDED = select(exists().where(events.c.run_id == bindparam("run"), events.c.event == END))
_LAST_NUMBERS = (
    select(events.c.run_id, func.max(events.c.number))
    .where(events.c.run_id.in_(bindparam("ids", expanding=True)))
    .group_by(events.c.run_id)
)
_FROM = select(events.c.run_id, events.c.number, events.c.event, events.c.data).where(
    events.c.run_id.in_(bindparam("ids", expanding=True)), events.c.number >= bindparam("first")
)
_INSERT = insert(events)


@dataclass(frozen=True)
class _Entry:
    run: Run
    event: str
    data: dict[str, Any]
    outcome: Outcome | None = None
    written: asyncio.Future[None] | None = None


@dataclass(frozen=True)
class _Row:
    entry: _Entry
    number: int

    @property
    def place(self) -> tuple[str, int]:
        return self.entry.run.id, self.number

    @property
    def seen(self) -> Event:
        return Event(self.number, self.entry.event, self.entry.data)


class EventLog:
    """Writes the events of this process's runs, and hands them to listeners.

    Args:
        database: the service's database.
        worker: id of this process.
        stop: called with the id of a run that is not this process's any more, or is to end, and with which of the two.
    """

    def __init__(self, database: AsyncEngine, worker: str, stop: Callable[[str, Why], None]) -> None:
        self._database = database
        self._worker = worker
        self._stop = stop
        self._entries: asyncio.Queue[_Entry] = asyncio.Queue()
        self._pressing = asyncio.Event()
        self._written_at = 0.0
        self._last: dict[str, int] = {}
        # Runs whose latest event is a piece of an answer.
        self._speaking: set[str] = set()
        self._listeners: dict[str, set[asyncio.Queue[Event | None]]] = {}

    def begin(self, run_id: str) -> None:
        """Take note that a run begins, and has no events yet."""
        self._last[run_id] = 0

    def add(self, run: Run, event: str, data: dict[str, Any]) -> None:
        """Add an event of a run."""
        self._add(_Entry(run, event, data))

    async def close(self, run: Run, event: str, data: dict[str, Any], outcome: Outcome) -> None:
        """Add the event with which this process is done with a run, and wait until it is written."""
        written = asyncio.get_running_loop().create_future()
        self._add(_Entry(run, event, data, outcome, written))
        await written

    def forget(self, run_id: str) -> None:
        """Forget a run that is not this process's any more: others may number its events."""
        self._last.pop(run_id, None)
        self._speaking.discard(run_id)

    def give_up(self, run_id: str) -> None:
        """Tell listeners that a run cannot be recorded now. It is taken over when the database is back."""
        self.forget(run_id)
        self.tell(run_id, [Event(None, ERROR, {"message": NOT_RECORDED, "code": "unavailable"})])

    def _add(self, entry: _Entry) -> None:
        self._entries.put_nowait(entry)
        if entry.event == TOKEN and entry.run.id in self._speaking:
            return
        self._pressing.set()
        if entry.event == TOKEN:
            self._speaking.add(entry.run.id)
        else:
            self._speaking.discard(entry.run.id)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Write for as long as the context lasts, and to the end what was added in it."""
        writing = asyncio.create_task(self._write_all())
        try:
            yield
        finally:
            await self._entries.join()
            writing.cancel()
            await asyncio.wait([writing])

    @contextmanager
    def listening(self, run_id: str) -> Iterator[asyncio.Queue[Event | None]]:
        """Return a queue of the run's events from now on. What else is put into it, comes to this listener alone."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.setdefault(run_id, set()).add(queue)
        try:
            yield queue
        finally:
            self._listeners[run_id].discard(queue)
            if not self._listeners[run_id]:
                del self._listeners[run_id]

    @property
    def listened_to(self) -> Collection[str]:
        """Ids of the runs that somebody listens to."""
        return self._listeners.keys()

    def tell(self, run_id: str, told: Sequence[Event | None]) -> None:
        """Hand events to a run's listeners, and None where there will be no more."""
        for queue in self._listeners.get(run_id, ()):
            for event in told:
                queue.put_nowait(event)

    async def read(self, run_id: str, after: int) -> list[Event]:
        """Return the events of a run that come after a number."""
        if self._last.get(run_id) == 0:
            return []
        async with self._database.connect() as connection:
            return [Event(*row) for row in await connection.execute(_BEHIND, {"run": run_id, "after": after})]

    async def has_end(self, run_id: str) -> bool:
        """Whether the last event of a run is on record."""
        async with self._database.connect() as connection:
            return bool(await connection.scalar(_ENDED, {"run": run_id}))

    async def last_numbers(self, ids: Collection[str]) -> dict[str, int]:
        """Return the numbers of runs' last events."""
        async with self._database.connect() as connection:
            return await _last_numbers(connection, ids)

    async def gone(self, ids: Collection[str]) -> Collection[str]:
        """Return which runs are there no more."""
        if not ids:
            return ids
        async with self._database.connect() as connection:
            return set(ids) - set(await connection.scalars(select(runs.c.id).where(runs.c.id.in_(ids))))

    async def _write_all(self) -> None:
        while True:
            entries = [await self._entries.get()]
            await self._collect()
            while not self._entries.empty():
                entries.append(self._entries.get_nowait())
            try:
                await self._write(_joined(entries))
            except Exception:
                log.exception("events were not recorded")
                # What came meanwhile would fail in the same way, each time after a wait.
                while not self._entries.empty():
                    entries.append(self._entries.get_nowait())
                for run_id in {entry.run.id for entry in entries}:
                    self.give_up(run_id)
                    self._stop(run_id, "lost")
            finally:
                self._written_at = asyncio.get_running_loop().time()
                for entry in entries:
                    self._entries.task_done()
                    if entry.written and not entry.written.done():
                        entry.written.set_result(None)

    async def _collect(self) -> None:
        """Wait for more pieces of answers, unless something else is to be written."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._written_at + PIECES_EVERY):
                await self._pressing.wait()
        self._pressing.clear()

    async def _write(self, entries: Sequence[_Entry]) -> None:
        rows: list[_Row] = []
        held: Collection[str] = ()
        for pause in (*RETRY_AFTER, None):
            try:
                async with self._database.begin() as connection:
                    held = await self._held(connection, entries)
                    # A commit that seemed to fail may have written them all the same.
                    there = await _there(connection, rows) if rows else ()
                    # What is lost since the attempt before is numbered by others now.
                    rows = [row for row in rows if row.entry.run.id in held or row.place in there]
                    rows = rows or await self._numbered(connection, [each for each in entries if each.run.id in held])
                    await _insert(connection, [row for row in rows if row.place not in there])
                break
            except (SQLAlchemyError, OSError):
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        for row in rows:
            self._last[row.entry.run.id] = row.number
            self.tell(row.entry.run.id, [row.seen])
            if row.entry.outcome:
                self.forget(row.entry.run.id)
        for run_id in {entry.run.id for entry in entries}.difference(held):
            self.forget(run_id)

    async def _held(self, connection: AsyncConnection, entries: Sequence[_Entry]) -> Collection[str]:
        """Return which of the runs are still this process's. Nobody takes them before the transaction ends."""
        ids = {entry.run.id for entry in entries}
        held = await hold(connection, self._worker, ids)
        for run_id in ids:
            if run_id not in held:
                self._stop(run_id, "lost")
            elif held[run_id]:
                self._stop(run_id, "cancelled")
        return held

    async def _numbered(self, connection: AsyncConnection, entries: Sequence[_Entry]) -> list[_Row]:
        unknown = {entry.run.id for entry in entries} - self._last.keys()
        if unknown:
            self._last |= dict.fromkeys(unknown, 0) | await _last_numbers(connection, unknown)
        last = {entry.run.id: self._last[entry.run.id] for entry in entries}
        rows = []
        for entry in entries:
            last[entry.run.id] += 1
            rows.append(_Row(entry, last[entry.run.id]))
        return rows


def _joined(entries: Sequence[_Entry]) -> list[_Entry]:
    """Return entries with pieces of an answer that came together made one."""
    joined: dict[int, _Entry] = {}
    latest: dict[str, int] = {}
    for position, entry in enumerate(entries):
        before = latest.get(entry.run.id)
        if before is not None and entry.event == joined[before].event == TOKEN:
            text = joined[before].data["text"] + entry.data["text"]
            joined[before] = _Entry(entry.run, TOKEN, {"text": text})
        else:
            joined[position] = entry
            latest[entry.run.id] = position
    return list(joined.values())


async def _last_numbers(connection: AsyncConnection, ids: Collection[str]) -> dict[str, int]:
    return dict((await connection.execute(_LAST_NUMBERS, {"ids": list(ids)})).all())


async def _there(connection: AsyncConnection, rows: Sequence[_Row]) -> Collection[tuple[str, int]]:
    """Return the places of the rows that are on record. Where a run was lost, others' events may be there instead."""
    asked = {"ids": {row.entry.run.id for row in rows}, "first": min(row.number for row in rows)}
    found = {(run_id, number): Event(number, *rest) for run_id, number, *rest in await connection.execute(_FROM, asked)}
    return {row.place for row in rows if found.get(row.place) == row.seen}


async def _insert(connection: AsyncConnection, rows: Sequence[_Row]) -> None:
    if rows:
        await connection.execute(
            _INSERT,
            [
                {"run_id": row.entry.run.id, "number": row.number, "event": row.entry.event, "data": row.entry.data}
                for row in rows
            ],
        )
    for row in rows:
        if row.entry.outcome:
            await _settle(connection, row.entry.run, row.entry.outcome)


async def _settle(connection: AsyncConnection, run: Run, outcome: Outcome) -> None:
    ended = None if outcome.status == "waiting" else time.time()
    values = {"status": outcome.status, "error": outcome.error, "ended": ended, "worker": None, "lease": None}
    await connection.execute(update(runs).where(runs.c.id == run.id).values(**values, decisions=None))
