"""Which threads become examples: those with an answer that a person liked, or wrote anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.context import Context
from service.records.tables import feedback, runs, threads


@dataclass(frozen=True)
class Wanted:
    """Which threads.

    Args:
        since: only with an opinion given since, in seconds since 1970.
        thumb: `up` for answers that were liked only; None for those that a person wrote anew too.
        persona: only those that this persona spoke in.
    """

    since: float | None = None
    thumb: str | None = None
    persona: str | None = None


@dataclass(frozen=True)
class Opinion:
    """What a person said of an answer.

    Args:
        message_id: the answer.
        thumb: `up` or `down`, if either.
        correction: what the answer should have been; empty where nobody said.
        at: when, in seconds since 1970.
    """

    message_id: str
    thumb: str | None
    correction: str
    at: float


@dataclass(frozen=True)
class Liked:
    """A thread with good answers.

    Args:
        thread_id: its id.
        persona: who speaks in it, where a run does not say.
        opinions: the good answers, by id.
    """

    thread_id: str
    persona: str | None
    opinions: dict[str, Opinion]


async def liked_threads(database: AsyncEngine, wanted: Wanted) -> list[Liked]:
    """Return the threads with good answers, the one with the latest opinion first.

    Args:
        database: the service's database.
        wanted: which of them; the persona is not looked at, for each run has its own.
    """
    columns = (feedback.c.thread_id, threads.c.persona, *(feedback.c[name] for name in Opinion.__annotations__))
    query = select(*columns).join(threads, threads.c.id == feedback.c.thread_id).order_by(feedback.c.at.desc())
    if wanted.since is not None:
        query = query.where(feedback.c.at >= wanted.since)
    liked: dict[str, Liked] = {}
    async with database.connect() as connection:
        for thread_id, persona, *said in await connection.execute(query):
            opinion = Opinion(*said)
            if opinion.thumb == "up" or (wanted.thumb is None and opinion.correction.strip()):
                thread = liked.setdefault(thread_id, Liked(thread_id, persona, {}))
                thread.opinions[opinion.message_id] = opinion
    return list(liked.values())


async def contexts_of(database: AsyncEngine, thread: Liked) -> dict[str, Context]:
    """Return how the runs of a thread ran, by the id of their question."""
    query = select(runs.c.id, runs.c.context).where(runs.c.thread_id == thread.thread_id)
    async with database.connect() as connection:
        rows = (await connection.execute(query)).all()
    return {run_id: Context(**_known(given)) for run_id, given in rows}


def _known(given: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a version before this one could set."""
    return {name: value for name, value in given.items() if name in Context.model_fields}
