"""What turns leave in the service's database: their threads and their runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.context import Context
from service.http.callers import Caller
from service.records.tables import events, runs, threads
from service.runs.records import END, WAITING
from service.runs.store import LEASE, title_of

ORIGIN = "openai"

Status = Literal["waiting", "finished", "failed", "cancelled"]


def new_id() -> str:
    """Return an id that nobody can guess."""
    return uuid4().hex


@dataclass(frozen=True)
class Asked:
    """What was asked, by whom, and where.

    Args:
        caller: whose turn it is.
        question: the last message.
        context: how the turn runs.
        id: id of the turn, which is its run's.
        thread: id of its thread.
    """

    caller: Caller
    question: str
    context: Context
    id: str = field(default_factory=new_id)
    thread: str = field(default_factory=new_id)


async def add_thread(connection: AsyncConnection, asked: Asked) -> None:
    """Add the row of a turn's thread, which is new."""
    now = time.time()
    row = {
        "id": asked.thread,
        "owner": asked.caller.owner,
        "title": title_of(asked.question),
        "persona": asked.context.persona,
        "origin": ORIGIN,
        "details": {},
        "created": now,
        "updated": now,
    }
    await connection.execute(insert(threads).values(row))


async def add_run(connection: AsyncConnection, asked: Asked, worker: str) -> None:
    """Add the row of a turn's run, which is under way in this process.

    Args:
        connection: a connection in a transaction.
        asked: the turn.
        worker: id of this process.

    Raises:
        IntegrityError: another run of the thread is under way.
    """
    now = time.time()
    row = {
        "id": asked.id,
        "thread_id": asked.thread,
        "owner": asked.caller.owner,
        "key_id": asked.caller.key,
        "status": "running",
        "input": {"text": asked.question, "attended": True},
        "context": asked.context.model_dump(exclude_unset=True),
        "worker": worker,
        "lease": now + LEASE,
        "cancelled": False,
        "created": now,
        "started": now,
    }
    await connection.execute(insert(runs).values(row))


async def end_run(
    connection: AsyncConnection, asked: Asked, worker: str, status: Status, actions: list[dict[str, Any]]
) -> None:
    """Write down how a turn's run ended, or what of it waits for a person, unless it was taken for lost.

    Args:
        connection: a connection in a transaction.
        asked: the turn.
        worker: id of this process.
        status: how it ended.
        actions: what waits.
    """
    waits = status == "waiting"
    changed = {"status": status, "ended": None if waits else time.time(), "worker": None, "lease": None}
    told = {"run_id": asked.id, "actions": actions} if waits else {"status": status}
    event = {"run_id": asked.id, "number": 1, "event": WAITING if waits else END, "data": told}
    own = update(runs).where(runs.c.id == asked.id, runs.c.worker == worker)
    if not (await connection.execute(own.values(changed))).rowcount:
        return
    await connection.execute(insert(events).values(event))
    await connection.execute(update(threads).where(threads.c.id == asked.thread).values(updated=time.time()))
