"""The rows of runs. Every change is one transaction, which begins with the write that makes others wait."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, String, bindparam, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from agent.untrusted import visible
from service.records.tables import events, runs, threads
from service.runs.records import (
    END,
    ENDED,
    RESTART,
    STEP,
    TOKEN,
    UNDER_WAY,
    WAITING,
    Busy,
    NoThread,
    NotWaiting,
    Run,
    TooMany,
)

# Seconds that a silent process keeps its runs. Clocks of processes that share a database may differ by much less.
LEASE = 15.0
# A run that was under way each time its process died may be why.
MOST_TAKEOVERS = 3
TAKE_AT_ONCE = 20
TITLE_LENGTH = 80

# What each turn needs is made once: SQLAlchemy takes longer to put a statement together than SQLite to run it.
_GET = select(runs).where(runs.c.id == bindparam("run"))
# A thread that has no title is named after its first question.
_TOUCH = (
    update(threads)
    .where(threads.c.id == bindparam("thread"), threads.c.owner == bindparam("whose"))
    .values(
        updated=bindparam("now"),
        title=case((threads.c.title == "", bindparam("question", type_=String)), else_=threads.c.title),
    )
)
_NOT_ENDED = select(runs.c.status).where(runs.c.thread_id == bindparam("thread"), runs.c.status.not_in(ENDED))
_ADD = insert(runs)
_FIRST_QUEUED = (
    select(runs.c.id)
    .where(runs.c.thread_id == bindparam("thread"), runs.c.status == "queued")
    .order_by(runs.c.created, runs.c.id)
    .limit(1)
)
_UNDER_WAY_OF = (
    select(func.count()).select_from(runs).where(runs.c.owner == bindparam("whose"), runs.c.status.in_(UNDER_WAY))
)
_ONE_BY_ONE = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("whose"), 0)))
_HOLD = (
    update(runs)
    .where(
        runs.c.worker == bindparam("process"),
        runs.c.status == "running",
        runs.c.id.in_(bindparam("ids", expanding=True)),
    )
    .values(lease=bindparam("until"))
    .returning(runs.c.id, runs.c.cancelled)
)


class RunStore:
    """Runs on record, as one process sees and takes them.

    Args:
        database: the service's database.
        worker: id of this process.
    """

    def __init__(self, database: AsyncEngine, worker: str) -> None:
        self._database = database
        self._worker = worker

    async def get(self, run_id: str) -> Run | None:
        """Return a run."""
        async with self._database.connect() as connection:
            row = (await connection.execute(_GET, {"run": run_id})).first()
        return _run(row) if row else None

    async def of_thread(self, thread_id: str) -> Run | None:
        """Return the run of a thread that is under way or waits: of several, the one before which the others wait."""
        not_ended = (runs.c.thread_id == thread_id, runs.c.status.not_in(ENDED))
        first = case((runs.c.status == "queued", 1), else_=0)
        wanted = select(runs).where(*not_ended).order_by(first, runs.c.created)
        async with self._database.connect() as connection:
            row = (await connection.execute(wanted)).first()
        return _run(row) if row else None

    async def waiting(self, owner: str) -> list[Run]:
        """Return the runs of an owner that wait for a person, the oldest first."""
        wanted = select(runs).where(runs.c.owner == owner, runs.c.status == WAITING).order_by(runs.c.created)
        async with self._database.connect() as connection:
            return [_run(row) for row in await connection.execute(wanted)]

    async def add(self, run: Run, *, queue: bool, most: int | None = None) -> Run:
        """Add a run to its thread: running in this process, or queued behind another. One that waits is cancelled.

        Args:
            run: the run.
            queue: whether to wait for runs under way.
            most: how many runs its owner may have under way, this one included; any number when None.

        Raises:
            NoThread: the thread is not there, or another's.
            Busy: a run is under way, and this one is not to wait.
            TooMany: the owner has as many as they may.
        """
        try:
            return await self._add(run, queue, most)
        except IntegrityError:  # one_running_per_thread: somebody has just decided on the one that waited
            return await self._add(run, queue, most)

    async def _add(self, run: Run, queue: bool, most: int | None) -> Run:
        now = time.time()
        thread = {"thread": run.thread_id, "whose": run.owner, "now": now, "question": title_of(run.input["text"])}
        async with self._database.begin() as connection:
            # With the row of its thread changed, nobody else starts a run of it until this is done.
            if not (await connection.execute(_TOUCH, thread)).rowcount:
                raise NoThread("there is no such thread")
            others = (await connection.scalars(_NOT_ENDED, {"thread": run.thread_id})).all()
            busy = any(status in UNDER_WAY for status in others)
            if busy and not queue:
                raise Busy("a run of this thread is under way: wait for it, cancel it, or queue")
            if others and not busy:
                await cancel_idle(connection, runs.c.thread_id == run.thread_id, runs.c.status == WAITING)
            added = replace(run, status="queued") if busy else replace(run, **self._taken(), started=now)
            await connection.execute(_ADD, vars(added))
            await refuse_beyond(connection, run.owner, most)
        return added

    async def decide(self, run_id: str, decisions: dict[str, Any], seen: int) -> Run:
        """Take a run that waits, with what a person decided.

        Args:
            run_id: the run.
            decisions: the decisions.
            seen: number of its last event when it was looked at what it asks.

        Raises:
            NotWaiting: it does not wait, or for something else since.
        """
        unchanged = last_number(run_id).scalar_subquery() == seen
        waits = (runs.c.id == run_id, runs.c.status == WAITING, unchanged)
        thread = update(threads).where(threads.c.id.in_(select(runs.c.thread_id).where(*waits)))
        async with self._database.begin() as connection:
            await connection.execute(thread.values(updated=time.time()))
        taken = await self._take(*waits, decisions=decisions, cancelled=False)
        if taken is None:
            raise NotWaiting("the run does not wait for a decision any more: look at it again")
        return taken

    async def next_of(self, thread_id: str) -> Run | None:
        """Take the next run that is queued in a thread, unless another runs or waits there."""
        # Asked first, since nearly always there is none, and a write would make others wait.
        async with self._database.connect() as connection:
            first = await connection.scalar(_FIRST_QUEUED, {"thread": thread_id})
        if first is None:
            return None
        free = ~_of_thread(thread_id, ("running", WAITING))
        return await self._take(runs.c.id == first, runs.c.status == "queued", free, started=time.time())

    async def take_over(self, run_id: str) -> Run | None:
        """Take a run whose process has let it go or died."""
        takeovers = runs.c.takeovers + 1
        return await self._take(runs.c.id == run_id, runs.c.status == "running", *_let_go(), takeovers=takeovers)

    async def _take(self, *conditions: ColumnElement[bool], **values: Any) -> Run | None:
        taken = update(runs).where(*conditions).values(**self._taken(), **values).returning(*runs.c)
        try:
            async with self._database.begin() as connection:
                row = (await connection.execute(taken)).first()
        except IntegrityError:  # one_running_per_thread: another was faster
            return None
        return _run(row) if row else None

    def _taken(self) -> dict[str, Any]:
        return {"status": "running", "worker": self._worker, "lease": time.time() + LEASE}

    async def left(self) -> list[str]:
        """Return ids of runs that nobody runs although they are to be running."""
        let_go = select(runs.c.id).where(runs.c.status == "running", *_let_go()).limit(TAKE_AT_ONCE)
        async with self._database.connect() as connection:
            return list(await connection.scalars(let_go))

    async def threads_to_go_on(self) -> list[str]:
        """Return ids of threads with a queued run that nothing holds up."""
        held_up = runs.alias()
        holding = exists().where(held_up.c.thread_id == runs.c.thread_id, held_up.c.status.in_(("running", WAITING)))
        queued = select(runs.c.thread_id).where(runs.c.status == "queued", ~holding).distinct().limit(TAKE_AT_ONCE)
        async with self._database.connect() as connection:
            return list(await connection.scalars(queued))

    async def hold(self, ids: Collection[str]) -> dict[str, bool]:
        """Keep runs of this process for another lease, and return those it has, and whether each is to end."""
        async with self._database.begin() as connection:
            return await hold(connection, self._worker, ids)

    async def cancelled(self) -> list[str]:
        """Return ids of this process's runs that are to end."""
        wanted = select(runs.c.id).where(runs.c.worker == self._worker, runs.c.status == "running", runs.c.cancelled)
        async with self._database.connect() as connection:
            return list(await connection.scalars(wanted))

    async def forget(self, ended_before: float) -> None:
        """Delete the events of runs that ended long ago. Their answers stay."""
        long_ended = select(runs.c.id).where(runs.c.ended < ended_before)
        pieces = events.c.event.in_((TOKEN, STEP, RESTART))
        async with self._database.begin() as connection:
            await connection.execute(delete(events).where(pieces, events.c.run_id.in_(long_ended)))

    async def let_go(self) -> None:
        """Let this process's runs go: the next process that looks takes them over at once."""
        own = update(runs).where(runs.c.worker == self._worker, runs.c.status == "running")
        async with self._database.begin() as connection:
            await connection.execute(own.values(worker=None, lease=None))

    async def cancel(self, run_id: str) -> None:
        """Cancel a run: at once where it is queued or waits, else whoever runs it is told to."""
        running = update(runs).where(runs.c.id == run_id, runs.c.status == "running").values(cancelled=True)
        async with self._database.begin() as connection:
            if not (await connection.execute(running)).rowcount:
                await cancel_idle(connection, runs.c.id == run_id, runs.c.status.in_(("queued", WAITING)))


async def refuse_beyond(connection: AsyncConnection, owner: str, most: int | None) -> None:
    """Refuse a run of a person who has as many under way as they may, in whichever processes.

    Args:
        connection: a transaction that has added the run: others that are added at once wait for its end.
        owner: the person.
        most: how many they may have, this one included; any number when None.

    Raises:
        TooMany: they have more.
    """
    if most is None:
        return
    if connection.dialect.name == "postgresql":  # in SQLite, the write has made them wait
        await connection.execute(_ONE_BY_ONE, {"whose": owner})
    under_way = await connection.scalar(_UNDER_WAY_OF, {"whose": owner}) or 0
    if under_way > most:
        raise TooMany(f"{most} runs are under way: wait for one to end")


async def hold(connection: AsyncConnection, worker: str, ids: Collection[str]) -> dict[str, bool]:
    """Keep runs of a process for another lease, and return those it has, and whether each is to end.

    Args:
        connection: a transaction. Until it ends, nobody else takes these runs.
        worker: the process.
        ids: the runs.
    """
    held = {"process": worker, "ids": list(ids), "until": time.time() + LEASE}
    return dict((await connection.execute(_HOLD, held)).all())


def last_number(run_id: Any) -> Any:
    """Return a query for the number of a run's last event."""
    return select(func.coalesce(func.max(events.c.number), 0)).where(events.c.run_id == run_id)


def _let_go() -> tuple[ColumnElement[bool], ...]:
    return (or_(runs.c.worker.is_(None), runs.c.lease < time.time()),)


def _of_thread(thread_id: str, statuses: Collection[str]) -> ColumnElement[bool]:
    """Return whether a thread has runs that stand in one of these ways."""
    others = runs.alias()
    return exists().where(others.c.thread_id == thread_id, others.c.status.in_(statuses))


def title_of(question: str) -> str:
    """Return the first words of a question."""
    words = " ".join(visible(question).split())
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


async def cancel_idle(connection: AsyncConnection, *conditions: ColumnElement[bool]) -> None:
    """Cancel runs that nobody is running.

    Args:
        connection: a transaction.
        conditions: which of the runs that are queued or wait.
    """
    cancelled = update(runs).where(*conditions).values(status="cancelled", cancelled=True, ended=time.time())
    for run_id in (await connection.scalars(cancelled.returning(runs.c.id))).all():
        number = (await connection.scalar(last_number(run_id)) or 0) + 1
        ended = {"run_id": run_id, "number": number, "event": END, "data": {"status": "cancelled"}}
        await connection.execute(insert(events).values(**ended))


def _run(row: Row[Any]) -> Run:
    return Run(**row._asdict())
