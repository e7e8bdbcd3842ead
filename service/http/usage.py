"""What model calls used: tokens and cost."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from service.http.bodies import Text
from service.http.callers import Authenticated
from service.http.problems import Problem
from service.http.services import Shared
from service.records.usage import By, Wanted, total, used

router = APIRouter(prefix="/api", tags=["Usage"])

Group = Annotated[By, Query(description="What makes a group.", examples=["day"])]
Since = Annotated[date | None, Query(description="The first day.", examples=["2026-11-01"])]
Until = Annotated[date | None, Query(description="The last day.", examples=["2026-11-30"])]
Whose = Annotated[
    Text | None, Query(max_length=200, description="Whose calls; an admin may say another's, or * for everybody's.")
]


class UsedBody(BaseModel):
    """What the calls of a group used."""

    model_config = ConfigDict(from_attributes=True)

    key: str | None = Field(description="The group.", examples=["2026-11-23"])
    calls: int = Field(description="Model calls.", examples=[12])
    input: int = Field(description="Tokens of prompts.", examples=[14000])
    cached: int = Field(description="Tokens of prompts that the provider had kept.", examples=[9000])
    output: int = Field(description="Tokens of replies.", examples=[900])
    cost: float | None = Field(description="US dollars; null where a price is not known.", examples=[0.0042])


class UsageBody(BaseModel):
    """What model calls used, by group and together."""

    items: list[UsedBody] = Field(description="The groups.", examples=[[]])
    total: UsedBody = Field(description="All of them together.")


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
    if owner not in (None, caller.owner) and not caller.admin:
        raise Problem(403, "only an admin's key sees what others used", code="not_admin", param="owner")
    whose = None if owner == "*" else owner or caller.owner
    wanted = Wanted(by, whose, _written(since), _written(until))
    groups = await used(shared.database, wanted)
    return UsageBody(
        items=[UsedBody.model_validate(group) for group in groups], total=UsedBody.model_validate(total(groups))
    )


def _written(day: date | None) -> str | None:
    return day.isoformat() if day else None
