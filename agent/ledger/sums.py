"""Sums over the ledger: what calls used by group, and what is charged to budgets."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, String, case, cast, func, or_, select

from agent.budgets import Scope
from agent.ledger.records import Wanted, Who
from agent.ledger.tables import calls

_OPEN = calls.c.open_until.is_not(None)
_SUM = calls.c.input + calls.c.output
# Until a call is settled, and where its provider did not count, what it may have used at most is what is charged.
_COST = case((_OPEN, calls.c.most_cost), else_=func.coalesce(calls.c.cost, calls.c.most_cost))
_TOKENS = case((_OPEN | (_SUM == 0), func.coalesce(calls.c.most_tokens, 0)), else_=_SUM)


def charged(scope: Scope, who: Who, now: float) -> Select[float, int, int]:
    """Return the query for what is charged to a budget now.

    Args:
        scope: what the budget is of.
        who: whose budget it is.
        now: seconds since 1970.
    """
    unknown = func.count().filter(_COST.is_(None))
    wanted = select(func.coalesce(func.sum(_COST), 0.0), func.coalesce(func.sum(_TOKENS), 0), unknown)
    # What a process that died had reserved lapses.
    alive = or_(calls.c.open_until.is_(None), calls.c.open_until > now)
    return wanted.where(_of(scope, who, now), alive)


def used(wanted: Wanted) -> Select[str | None, int, int, int, int, int, int, float | None, float, int]:
    """Return the query for what calls used, by group; its columns are the fields of `Used`."""
    key = calls.c[wanted.by]
    unknown = func.count().filter(calls.c.cost.is_(None))
    names = ("input", "cached", "cache_write", "output", "reasoning")
    tokens = [func.coalesce(func.sum(calls.c[name]), 0) for name in names]
    known = func.coalesce(func.sum(calls.c.cost), 0.0)
    query = select(cast(key, String), func.count(), *tokens, case((unknown == 0, known)), known, unknown)
    query = query.where(calls.c.open_until.is_(None)).group_by(key).order_by(key)
    if wanted.owner is not None:
        query = query.where(calls.c.owner == wanted.owner)
    if wanted.since is not None:
        query = query.where(calls.c.day >= wanted.since)
    if wanted.until is not None:
        query = query.where(calls.c.day <= wanted.until)
    return query


def day_of(at: float) -> str:
    """Return the day of a time, in UTC."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _of(scope: Scope, who: Who, at: float) -> ColumnElement[bool]:
    today = calls.c.day == day_of(at)
    if scope == "turn":
        return calls.c.turn == who.turn
    if scope == "thread":
        # Where no thread is kept, each turn is one.
        return calls.c.thread == who.thread if who.thread else calls.c.turn == who.turn
    if scope == "owner":
        return today & (calls.c.owner == who.owner)
    return today & (calls.c.key == who.key) if scope == "key" else today
