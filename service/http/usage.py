"""What model calls used: tokens and cost, and how the caller's budgets stand."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from agent.account import limits_of
from agent.budgets import Limit, Scope
from agent.context import Context
from agent.ledger.records import By, Wanted, Who, total
from service.http.bodies import Text
from service.http.callers import Authenticated
from service.http.owned import thread_of
from service.http.problems import Problem
from service.http.services import Shared
from service.records.keys import Keys

router = APIRouter(prefix="/api", tags=["Usage"])

# Also where somebody has this name: their own usage is what is told without it.
EVERYBODY = "*"

Group = Annotated[By, Query(description="What makes a group.", examples=["day"])]
Since = Annotated[date | None, Query(description="The first day.", examples=["2026-11-01"])]
Until = Annotated[date | None, Query(description="The last day.", examples=["2026-11-30"])]
Whose = Annotated[
    Text | None,
    Query(
        max_length=200, description="Whose calls; an admin may say another's, or * for everybody's.", examples=["ann"]
    ),
]
OfThread = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="A thread, for its budget too.", examples=["3f6c1d"]),
]


class UsedBody(BaseModel):
    """What the calls of a group used."""

    model_config = ConfigDict(from_attributes=True)

    key: str | None = Field(description="The group.", examples=["2026-11-23"])
    name: str | None = Field(None, description="Of an API key: whose it is, and what for.", examples=[None])
    calls: int = Field(description="Model calls.", examples=[12])
    input: int = Field(description="Tokens of prompts.", examples=[14000])
    cached: int = Field(description="Tokens of prompts that the provider had kept.", examples=[9000])
    cache_write: int = Field(description="Tokens of prompts that the provider kept from then on.", examples=[2000])
    output: int = Field(description="Tokens of replies.", examples=[900])
    reasoning: int = Field(description="Tokens of replies that models thought with.", examples=[300])
    cost: float | None = Field(description="US dollars; null where a price is not known.", examples=[0.0042])
    known_cost: float = Field(description="US dollars of the calls whose price is known.", examples=[0.0042])
    unknown: int = Field(description="Calls whose price is not known.", examples=[0])


class UsageBody(BaseModel):
    """What model calls used, by group and together."""

    items: list[UsedBody] = Field(description="The groups.", examples=[[]])
    total: UsedBody = Field(description="All of them together.")


class BudgetBody(BaseModel):
    """A budget, and what is left of it."""

    scope: Scope = Field(description="What it is of: thread, owner, key or day, or each turn.", examples=["owner"])
    limit: Limit = Field(description="The most that may be used.", examples=[{"cost": 2.0}])
    used: Limit | None = Field(description="What is used or reserved; null for each turn's.", examples=[{"cost": 0.5}])
    left: Limit | None = Field(description="What is left; null for each turn's.", examples=[{"cost": 1.5}])
    free: str | None = Field(description="When it starts afresh.", examples=["2026-11-24T00:00:00Z"])


class BudgetsBody(BaseModel):
    """Budgets."""

    items: list[BudgetBody] = Field(description="The budgets.", examples=[[]])


@router.get("/usage")
async def read_usage(
    shared: Shared,
    caller: Authenticated,
    by: Group = "day",
    since: Since = None,
    until: Until = None,
    owner: Whose = None,
) -> UsageBody:
    """Say what model calls used: yours, or with an admin's key anybody's."""
    own = owner in (None, caller.owner) and owner != EVERYBODY
    if not (own or caller.admin):
        raise Problem(403, "only an admin's key sees what others used", code="not_admin", param="owner")
    whose = None if owner == EVERYBODY else owner or caller.owner
    groups = await shared.ledger.used(Wanted(by, whose, _written(since), _written(until)))
    names = await Keys(shared.database).names() if by == "key" else {}
    items = [UsedBody.model_validate(group).model_copy(update={"name": names.get(group.key or "")}) for group in groups]
    return UsageBody(items=items, total=UsedBody.model_validate(total(groups)))


@router.get("/budgets")
async def read_budgets(shared: Shared, caller: Authenticated, thread_id: OfThread = None) -> BudgetsBody:
    """Say how your budgets stand. That of everybody together is for admins."""
    if thread_id:
        await thread_of(thread_id, shared, caller)
    context = Context(**caller.context).over(shared.settings.layer())
    limits = limits_of(context)
    shown = {
        scope: limit
        for scope, limit in limits.items()
        if (scope != "day" or caller.admin) and (scope != "thread" or thread_id)
    }
    who = Who(owner=caller.owner, thread=thread_id, key=caller.key)
    standing = await shared.ledger.standing(who, {scope: limit for scope, limit in shown.items() if scope != "turn"})
    turn = [BudgetBody(scope="turn", limit=limits["turn"], used=None, left=None, free=None)] if "turn" in shown else []
    return BudgetsBody(
        items=[
            *turn,
            *(
                BudgetBody(scope=each.scope, limit=each.limit, used=each.used, left=each.left, free=each.free)
                for each in standing
            ),
        ]
    )


def _written(day: date | None) -> str | None:
    return day.isoformat() if day else None
