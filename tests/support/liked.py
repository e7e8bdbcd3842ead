"""Threads in the service's stores, as people had them: asked through the real graph, and with their opinions."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.checkpoints import open_checkpointer
from agent.context import Context
from agent.settings import Settings
from graphs.assistant import AssistantGraph, build
from service.records.database import open_database
from service.records.tables import feedback
from service.threads.store import Thread, ThreadStore
from tests.support.model_server import ModelServer, Reply


@dataclass
class People:
    """People who ask and say what they think.

    Args:
        graph: the assistant, over the service's checkpointer.
        database: the service's database.
        model: the scripted model.
    """

    graph: AssistantGraph
    database: AsyncEngine
    model: ModelServer

    async def ask(
        self, question: str, *replies: Reply | str, thread: Thread | None = None, persona: str | None = None
    ) -> Thread:
        """Ask in a thread, a new one by default."""
        thread = thread or await ThreadStore(self.database).create("ann", persona=persona)
        self.model.will(*replies)
        config: Any = {"configurable": {"thread_id": thread.id}}
        context = Context(persona=thread.persona) if thread.persona else Context()
        await self.graph.ainvoke({"messages": [("user", question)]}, config, context=context)
        return thread

    async def say(self, thread: Thread, thumb: str | None = "up", correction: str = "", at: float | None = None) -> str:
        """Say something of the latest answer of a thread."""
        config: Any = {"configurable": {"thread_id": thread.id}}
        answer = (await self.graph.aget_state(config)).values["messages"][-1]
        assert isinstance(answer, AIMessage)
        row = {"thread_id": thread.id, "message_id": answer.id, "owner": "ann", "thumb": thumb, "comment": ""}
        async with self.database.begin() as connection:
            await connection.execute(
                insert(feedback).values(**row, correction=correction, at=time.time() if at is None else at)
            )
        return str(answer.id)


@asynccontextmanager
async def people(settings: Settings, model: ModelServer, tools: Sequence[BaseTool] = ()) -> AsyncIterator[People]:
    """Open the service's stores for people to ask in."""
    async with open_database(settings) as database, open_checkpointer(settings) as checkpointer:
        yield People(build(settings=settings, checkpointer=checkpointer, tools=tools), database, model)
