"""What model calls used, summed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Column, case, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from service.records.tables import usage

By = Literal["day", "thread", "model", "persona", "owner"]
BY: tuple[By, ...] = get_args(By)

_COLUMNS: dict[By, Column[Any]] = {
    "day": usage.c.day,
    "thread": usage.c.thread_id,
    "model": usage.c.model,
    "persona": usage.c.persona,
    "owner": usage.c.owner,
}


@dataclass(frozen=True)
class Wanted:
    """Which calls to sum.

    Args:
        by: what makes a group.
        owner: whose calls; everybody's when None.
        since: first day, as 2026-11-23.
        until: last day.
    """

    by: By = "day"
    owner: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Used:
    """What the calls of a group used.

    Args:
        key: the group.
        calls: how many calls.
        input: tokens of prompts.
        cached: those of them that the provider had kept.
        output: tokens of replies.
        cost: US dollars; None where one call's price is not known.
    """

    key: str | None
    calls: int
    input: int
    cached: int
    output: int
    cost: float | None


async def used(database: AsyncEngine, wanted: Wanted) -> list[Used]:
    """Return what calls used, by group.

    Args:
        database: the service's database.
        wanted: which calls.
    """
    key = _COLUMNS[wanted.by]
    all_known = func.count(usage.c.cost) == func.count()
    sums = [func.sum(usage.c[name]) for name in ("input", "cached", "output")]
    query = select(key, func.count(), *sums, case((all_known, func.sum(usage.c.cost)))).group_by(key).order_by(key)
    if wanted.owner is not None:
        query = query.where(usage.c.owner == wanted.owner)
    if wanted.since is not None:
        query = query.where(usage.c.day >= wanted.since)
    if wanted.until is not None:
        query = query.where(usage.c.day <= wanted.until)
    async with database.connect() as connection:
        return [Used(*row) for row in await connection.execute(query)]


def total(groups: list[Used]) -> Used:
    """Return the sum of groups."""
    costs = [group.cost for group in groups]
    known = [cost for cost in costs if cost is not None]
    return Used(
        key=None,
        calls=sum(group.calls for group in groups),
        input=sum(group.input for group in groups),
        cached=sum(group.cached for group in groups),
        output=sum(group.output for group in groups),
        cost=sum(known) if len(known) == len(costs) else None,
    )
