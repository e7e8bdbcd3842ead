"""What was said in a thread: its messages from the graph's state, and what is on record of its runs beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.state import Source, sources_of
from graphs.assistant import AssistantGraph
from service.records.tables import events, feedback, runs
from service.runs.records import ANSWER
from service.threads.messages import Feedback, Message, messages_of


class History:
    """Reads threads.

    Args:
        graph: the assistant, over the service's checkpointer.
        database: the service's database.
    """

    def __init__(self, graph: AssistantGraph, database: AsyncEngine) -> None:
        self._graph = graph
        self._database = database

    async def messages(self, thread_id: str) -> list[Message]:
        """Return a thread's messages, as whole as they are known."""
        messages = messages_of(await self.values(thread_id))
        asked, answers = await self._turns(thread_id)
        opinions = await self._feedback(thread_id)
        return [
            answers.get(message.id, message).model_copy(
                update={"feedback": opinions.get(message.id)} | _asked_at(message, asked)
            )
            for message in messages
        ]

    async def sources(self, thread_id: str) -> dict[int, Source]:
        """Return the passages that were found in a thread, by number."""
        return sources_of((await self.values(thread_id)).get("messages", ()))

    async def waits(self, thread_id: str) -> bool:
        """Return whether a thread's turn waits for a person."""
        config = RunnableConfig(configurable={"thread_id": thread_id})
        return bool((await self._graph.aget_state(config)).interrupts)

    async def values(self, thread_id: str) -> Mapping[str, Any]:
        """Return a thread's state."""
        config = RunnableConfig(configurable={"thread_id": thread_id})
        return (await self._graph.aget_state(config)).values

    async def _turns(self, thread_id: str) -> tuple[dict[str, float], dict[str, Message]]:
        """Return when each run was asked for by its question's id, and the answers by id."""
        of_thread = runs.c.thread_id == thread_id
        asked = select(runs.c.id, runs.c.created).where(of_thread)
        answers = select(events.c.data).join(runs, runs.c.id == events.c.run_id).where(of_thread)
        async with self._database.connect() as connection:
            times = dict((await connection.execute(asked)).all())
            told = await connection.scalars(answers.where(events.c.event == ANSWER))
            return times, {data["id"]: Message(**data) for data in told}

    async def _feedback(self, thread_id: str) -> dict[str, Feedback]:
        wanted = select(feedback.c.message_id, feedback.c.thumb, feedback.c.comment, feedback.c.correction)
        async with self._database.connect() as connection:
            rows = await connection.execute(wanted.where(feedback.c.thread_id == thread_id))
            return {
                row.message_id: Feedback(thumb=row.thumb, comment=row.comment, correction=row.correction)
                for row in rows
            }


def _asked_at(message: Message, asked: Mapping[str, float]) -> dict[str, Any]:
    return {"at": asked[message.id]} if message.id in asked else {}
