"""Who the service takes a caller for."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from service.http.callers import Authenticated

router = APIRouter(prefix="/api", tags=["Callers"])


class CallerBody(BaseModel):
    """Who calls."""

    model_config = ConfigDict(from_attributes=True)

    owner: str = Field(description="Their name: what is theirs has it as its owner.", examples=["ann"])
    admin: bool = Field(description="Whether they see everybody's usage and feedback.", examples=[False])
    authenticated: bool = Field(
        description="Whether a key or token says so; else they sit at the service's machine.", examples=[True]
    )


@router.get("/me")
async def me(caller: Authenticated) -> CallerBody:
    """Say who the service takes you for."""
    return CallerBody.model_validate(caller)
