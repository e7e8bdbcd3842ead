"""What the requests of one process share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.checkpoints import open_checkpointer
from agent.settings import Settings
from graphs.assistant import AssistantGraph, build
from service.records.database import open_database


@dataclass(frozen=True)
class Services:
    """What the requests of one process share.

    Args:
        settings: the settings.
        database: the service's database.
        checkpointer: where threads are kept.
        graph: the assistant, over that checkpointer.
    """

    settings: Settings
    database: AsyncEngine
    checkpointer: BaseCheckpointSaver[Any]
    graph: AssistantGraph


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open what requests need, for as long as the context lasts.

    Raises:
        SettingsError: a database cannot be opened.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        checkpointer = await stack.enter_async_context(open_checkpointer(settings))
        graph = build(settings=settings, checkpointer=checkpointer)
        yield Services(settings, database, checkpointer, graph)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Shared = Annotated[Services, Depends(_services)]
