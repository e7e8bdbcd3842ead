"""What the ledger is told and tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from agent.budgets import Limit, Scope
from agent.errors import SelfhelpError

# Whoever sits at this machine, and is asked for no name.
LOCAL = "local"

By = Literal["day", "thread", "model", "persona", "owner", "key", "node", "round", "turn"]
BY: tuple[By, ...] = get_args(By)


class LedgerUnavailable(SelfhelpError):
    """The ledger cannot be read or written."""


@dataclass(frozen=True)
class Who:
    """Whom model calls are charged to.

    Args:
        owner: the person.
        persona: who spoke for them.
        turn: id of the turn.
        thread: id of the thread; None where none is kept.
        key: id of the API key that the run was started with, if any.
    """

    owner: str = LOCAL
    persona: str | None = None
    turn: str | None = None
    thread: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Most:
    """What a call may use at most.

    Args:
        cost: US dollars; None where its price is not known.
        tokens: tokens of prompt and reply.
    """

    cost: float | None
    tokens: int


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
        cache_write: those of them that the provider kept from then on.
        output: tokens of replies.
        reasoning: those of them that models thought with.
        cost: US dollars; None where one call's price is not known.
        known_cost: US dollars of the calls whose price is known.
        unknown: how many calls have no known price.
    """

    key: str | None
    calls: int
    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int
    cost: float | None
    known_cost: float
    unknown: int


@dataclass(frozen=True)
class Standing:
    """How a budget stands.

    Args:
        scope: what it is of.
        limit: the most that may be used.
        cost: US dollars that are used or reserved; None where that is not known.
        tokens: tokens that are used or reserved.
        free: when it starts afresh, as an ISO time; None where it never does.
    """

    scope: Scope
    limit: Limit
    cost: float | None
    tokens: int
    free: str | None

    @property
    def used(self) -> Limit:
        """What is used, in the units of the limit."""
        return Limit(
            cost=self.cost if self.limit.cost is not None else None,
            tokens=self.tokens if self.limit.tokens is not None else None,
        )

    @property
    def left(self) -> Limit:
        """What is left, in the units of the limit. Of a cost that is not known nothing is left."""
        cost, tokens = self.limit.cost, self.limit.tokens
        return Limit(
            cost=None if cost is None else max(0.0, cost - self.cost) if self.cost is not None else 0.0,
            tokens=None if tokens is None else max(0, tokens - self.tokens),
        )


def total(groups: Sequence[Used]) -> Used:
    """Return the sum of groups."""
    unknown = sum(group.unknown for group in groups)
    known = sum(group.known_cost for group in groups)
    return Used(
        key=None,
        calls=sum(group.calls for group in groups),
        input=sum(group.input for group in groups),
        cached=sum(group.cached for group in groups),
        cache_write=sum(group.cache_write for group in groups),
        output=sum(group.output for group in groups),
        reasoning=sum(group.reasoning for group in groups),
        cost=None if unknown else known,
        known_cost=known,
        unknown=unknown,
    )
