"""Whether the process is up, and whether it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, Field
from sqlalchemy import text

from agent.context import Context
from agent.models.providers import default_model
from agent.settings import Settings
from service.http.services import Services, Shared

PATIENCE = 5.0

router = APIRouter(tags=["Health"])

Check = Annotated[str, Field(description="ok, or what is wrong.", examples=["ok"])]


class Health(BaseModel):
    """That the process is up."""

    status: Literal["ok"] = Field("ok", description="Always ok.", examples=["ok"])


class Readiness(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ready", "not ready"] = Field(description="Whether it can.", examples=["ready"])
    checks: dict[str, Check] = Field(
        description="What was looked at: database, checkpoints, knowledge and model.", examples=[{"database": "ok"}]
    )


@router.get("/healthz")
async def health() -> Health:
    """Say that the process is up."""
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "It cannot serve now."}})
async def readiness(shared: Shared, response: Response) -> Readiness:
    """Say whether the service can do its work, and what is missing."""
    checks = {
        "database": await _said(lambda: _database(shared)),
        "checkpoints": await _said(lambda: _checkpoints(shared)),
        "knowledge": await _said(lambda: _knowledge(shared)),
        "model": await _said(lambda: _model(shared.settings)),
    }
    ready = all(said == "ok" for said in checks.values())
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not ready", checks=checks)


async def _said(check: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except TimeoutError:
        return "no answer"
    except Exception as error:  # noqa: BLE001  whatever keeps it from working; a driver's text may hold an address
        return type(error).__name__
    return "ok"


async def _database(shared: Services) -> None:
    async with shared.database.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def _checkpoints(shared: Services) -> None:
    await shared.checkpointer.aget_tuple(RunnableConfig(configurable={"thread_id": "readyz", "checkpoint_ns": ""}))


async def _knowledge(shared: Services) -> None:
    await (await shared.knowledge()).check()


async def _model(settings: Settings) -> None:
    if Context().over(settings.layer()).model is None:
        await asyncio.to_thread(default_model, settings)
