"""Budgets: what model calls may use, in money or tokens, for a turn, a thread, a person, a key and a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NotRequired, get_args

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from agent.errors import ModelUnavailable

Scope = Literal["turn", "thread", "owner", "key", "day"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
DAILY = ("owner", "key", "day")

_NAMES: dict[Scope, str] = {
    "turn": "The budget of this turn",
    "thread": "The budget of this thread",
    "owner": "Your budget for today",
    "key": "The budget of your key for today",
    "day": "Today's budget of everybody together",
}
_AFRESH: dict[Scope, str] = {"turn": "A new question has it afresh.", "thread": "A new thread has it afresh."}


class Limit(BaseModel):
    """The most that may be used. What is left open has no limit."""

    model_config = ConfigDict(extra="forbid")

    cost: float | None = Field(
        None, ge=0, allow_inf_nan=False, title="Cost", description="US dollars.", examples=[0.05]
    )
    tokens: int | None = Field(
        None, ge=0, title="Tokens", description="Tokens of prompts and replies.", examples=[50_000]
    )

    @property
    def is_set(self) -> bool:
        """Whether there is a limit."""
        return self.cost is not None or self.tokens is not None


class KeyBudget(Limit):
    """The API key that a run was started with, and what it may use in a day."""

    id: str = Field(title="Key", description="Id of the key.", examples=["9f8e7d6c5b4a3f2e"])


class Budgets(BaseModel):
    """What model calls may use. Days are those of UTC."""

    model_config = ConfigDict(extra="forbid")

    turn: Limit = Field(default_factory=Limit, title="Turn", description="One turn.")
    thread: Limit = Field(default_factory=Limit, title="Thread", description="A thread, from its first turn on.")
    owner: Limit = Field(default_factory=Limit, title="Owner", description="One person in a day.")
    key: Limit = Field(default_factory=Limit, title="Key", description="One API key in a day.")
    day: Limit = Field(default_factory=Limit, title="Day", description="Everybody together in a day.")

    def limits(self) -> dict[Scope, Limit]:
        """Return the limits that there are."""
        return {scope: limit for scope in SCOPES if (limit := getattr(self, scope)).is_set}

    def within(self, other: Budgets) -> Budgets:
        """Return the stricter of these and other budgets, limit by limit."""
        return Budgets(**{scope: stricter(getattr(self, scope), getattr(other, scope)) for scope in SCOPES})


class Spent(TypedDict):
    """A budget that allowed no further model call."""

    scope: Annotated[Scope, Field(description="What it is of.", examples=["day"])]
    unit: Annotated[
        Literal["cost", "tokens"], Field(description="What it is in: US dollars, or tokens.", examples=["cost"])
    ]
    limit: Annotated[float, Field(description="The most that may be used.", examples=[5.0])]
    used: Annotated[
        NotRequired[float],
        Field(description="What is used; left out where it is not known or shown.", examples=[4.9]),
    ]
    needed: Annotated[
        NotRequired[float], Field(description="The most that the next call might have used.", examples=[0.2])
    ]
    free: Annotated[
        str | None,
        Field(description="When it is free again; null where it never is.", examples=["2026-11-27T00:00Z"]),
    ]
    notice: Annotated[str, Field(description="The same in words.", examples=["Today's budget is spent."])]


class BudgetSpent(ModelUnavailable):
    """A budget that does not allow a model call.

    Args:
        spent: which one, and why.
    """

    def __init__(self, spent: Spent) -> None:
        super().__init__(spent["notice"])
        self.spent = spent


def stricter(one: Limit, other: Limit) -> Limit:
    """Return the stricter of two limits, in money and in tokens."""
    return Limit(
        cost=min((each.cost for each in (one, other) if each.cost is not None), default=None),
        tokens=min((each.tokens for each in (one, other) if each.tokens is not None), default=None),
    )


def free_again(scope: Scope, now: datetime) -> str | None:
    """Return when a budget that is spent is free again, as an ISO time; None for those that are not of a day."""
    if scope not in DAILY:
        return None
    return (now.astimezone(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")


def spent_in_money(scope: Scope, limit: float, used: float, needed: float, now: datetime) -> BudgetSpent:
    """Return the error of a budget in money that does not allow a call.

    Args:
        scope: what it is of.
        limit: US dollars that may be used.
        used: US dollars that are used or reserved.
        needed: US dollars that the call may cost at most.
        now: the time.
    """
    figures = f"{dollars(used)} of {dollars(limit)} is used, and the next model call may cost up to {dollars(needed)}"
    return _spent(scope, "cost", limit, used, needed, figures, now)


def spent_in_tokens(scope: Scope, limit: int, used: int, needed: int, now: datetime) -> BudgetSpent:
    """Return the error of a budget in tokens that does not allow a call. The arguments are those for money."""
    figures = f"{used:,} of {limit:,} tokens are used, and the next model call may take up to {needed:,}"
    return _spent(scope, "tokens", limit, used, needed, figures, now)


def not_known(scope: Scope, limit: float, calls: int, now: datetime) -> BudgetSpent:
    """Return the error of a budget in money that calls without a known price have been charged to."""
    free = free_again(scope, now)
    notice = (
        f"{_NAMES[scope]} allows no further model call: what is used of it is not known, as the price of {calls} of "
        f"its calls is not. Give prices under [prices] in selfhelp.toml. {_when(scope, free)}"
    )
    return BudgetSpent(Spent(scope=scope, unit="cost", limit=limit, free=free, notice=notice))


def no_price(scope: Scope, limit: float, model: str) -> BudgetSpent:
    """Return the error of a model whose price is not known, where there is a budget in money."""
    notice = (
        f"{model} is not asked: its price is not known, and there is a budget in money. Give its price under "
        "[prices] in selfhelp.toml, or take the budget away."
    )
    return BudgetSpent(Spent(scope=scope, unit="cost", limit=limit, free=None, notice=notice))


def dollars(amount: float) -> str:
    """Write an amount of US dollars, with as many digits as it needs."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.5f}".rstrip("0").rstrip(".")


def _spent(
    scope: Scope, unit: Literal["cost", "tokens"], limit: float, used: float, needed: float, figures: str, now: datetime
) -> BudgetSpent:
    free = free_again(scope, now)
    state = "is spent" if used else "is too small for a model call"
    spent = Spent(scope=scope, unit=unit, limit=limit, used=used, needed=needed, free=free, notice="")
    if scope == "day":  # what others use is nobody's business
        del spent["used"], spent["needed"]
        spent["notice"] = f"{_NAMES[scope]} {state}. {_when(scope, free)}"
    else:
        spent["notice"] = f"{_NAMES[scope]} {state}: {figures}. {_when(scope, free)}"
    return BudgetSpent(spent)


def _when(scope: Scope, free: str | None) -> str:
    return f"It is free again on {free[:10]} at 00:00 UTC." if free else _AFRESH[scope]
