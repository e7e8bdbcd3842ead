"""The rows of threads. Each query of `ThreadStore` is of one owner, so that nobody reaches another's."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from service.records.tables import runs, threads
from service.runs.records import UNDER_WAY, WAITING, Busy, NoThread

State = Literal["idle", "running", "waiting"]

ORIGIN = "service"


@dataclass(frozen=True)
class Thread:
    """A thread on record. Times are seconds since 1970.

    Args:
        id: its id.
        owner: whose it is.
        title: its title; empty before the first question.
        persona: who speaks in it, where a run does not say.
        origin: what it was made through.
        details: what its owner keeps with it.
        created: when it was made.
        updated: when something was last asked or changed.
        status: whether a run is under way, or waits for a person.
    """

    id: str
    owner: str
    title: str
    persona: str | None
    origin: str
    details: dict[str, Any]
    created: float
    updated: float
    status: State = "idle"


class ThreadStore:
    """Threads on record.

    Args:
        database: the service's database.
    """

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database

    async def create(
        self, owner: str, *, title: str = "", persona: str | None = None, details: Mapping[str, Any] | None = None
    ) -> Thread:
        """Make a thread."""
        now = time.time()
        thread = Thread(uuid4().hex, owner, title, persona, ORIGIN, dict(details or {}), now, now)
        await self.add(thread)
        return thread

    async def add(self, thread: Thread) -> None:
        """Put a thread on record."""
        row = {name: value for name, value in vars(thread).items() if name != "status"}
        async with self._database.begin() as connection:
            await connection.execute(insert(threads), row)

    async def get(self, thread_id: str, owner: str) -> Thread | None:
        """Return a thread."""
        async with self._database.connect() as connection:
            row = (await connection.execute(_ONE, {"thread": thread_id, "whose": owner})).first()
        return _thread(row) if row else None

    async def page(
        self, owner: str, *, limit: int, after: tuple[float, str] | None = None, query: str = ""
    ) -> list[Thread]:
        """Return threads, the one with the latest news first.

        Args:
            owner: whose.
            limit: the most to return.
            after: when the last thread of the page before had news, and its id.
            query: words that stand in the title.
        """
        wanted = _threads(owner).order_by(threads.c.updated.desc(), threads.c.id.desc()).limit(limit)
        if query:
            wanted = wanted.where(threads.c.title.icontains(query, autoescape=True))
        if after:
            updated, thread_id = after
            same_time = and_(threads.c.updated == updated, threads.c.id < thread_id)
            wanted = wanted.where(or_(threads.c.updated < updated, same_time))
        async with self._database.connect() as connection:
            return [_thread(row) for row in await connection.execute(wanted)]

    async def change(self, thread_id: str, owner: str, values: Mapping[str, Any]) -> Thread | None:
        """Change a thread, and return it."""
        mine = (threads.c.id == thread_id, threads.c.owner == owner)
        async with self._database.begin() as connection:
            await connection.execute(update(threads).where(*mine).values(**values, updated=time.time()))
        return await self.get(thread_id, owner)

    async def delete(self, thread_id: str, owner: str, *, before: float = math.inf) -> None:
        """Delete a thread's row, and with it its runs, events and feedback.

        Args:
            thread_id: the thread.
            owner: whose it is.
            before: when it was last used at the latest.

        Raises:
            Busy: a run of it is under way.
            NoThread: the owner has no such thread that was last used before then.
        """
        mine = (threads.c.id == thread_id, threads.c.owner == owner)
        its_runs = delete(runs).where(runs.c.thread_id == thread_id, runs.c.owner == owner)
        async with self._database.begin() as connection:
            # PostgreSQL lets nobody add a run behind this, SQLite behind the next one, which is the first that writes.
            await connection.execute(select(threads.c.id).where(*mine).with_for_update())
            if any(await connection.scalars(its_runs.returning(_goes_on()))):
                raise Busy("a run of this thread is under way: wait for it, or cancel it")
            if not (await connection.execute(delete(threads).where(*mine, threads.c.updated < before))).rowcount:
                raise NoThread("there is no such thread")


async def all_threads(database: AsyncEngine) -> list[Thread]:
    """Return everybody's threads: for whoever runs the service, and for no caller."""
    async with database.connect() as connection:
        return [_thread(row) for row in await connection.execute(_everybodys())]


def _threads(owner: str) -> Select[Any]:
    return _everybodys().where(threads.c.owner == owner)


def _everybodys() -> Select[Any]:
    status = case((_has_run(UNDER_WAY), literal("running")), (_has_run((WAITING,)), literal("waiting")), else_="idle")
    return select(*threads.c, status.label("status"))


def _goes_on() -> ColumnElement[bool]:
    """Return whether a run may still change its thread: one that was cancelled does not in a process that died."""
    return and_(runs.c.status.in_(UNDER_WAY), or_(~runs.c.cancelled, runs.c.lease > time.time()))


def _has_run(statuses: tuple[str, ...]) -> ColumnElement[bool]:
    return exists().where(runs.c.thread_id == threads.c.id, runs.c.status.in_(statuses))


# Made once, as every request about a thread begins with it.
_ONE = _everybodys().where(threads.c.id == bindparam("thread"), threads.c.owner == bindparam("whose"))


def _thread(row: Row[Any]) -> Thread:
    return Thread(**row._asdict())
