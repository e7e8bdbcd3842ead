"""Deleting a thread: everything that is kept of it but what it cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.answer_store import AnswerStore
from agent.intents import Intents, key_of
from agent.state import calls_of
from service.records.tables import runs
from service.runs.records import ENDED
from service.threads.history import History
from service.threads.store import ThreadStore

# What agent.context.Context lets a call fan out to.
MOST_FAN_OUT = 1000


class Deletion:
    """Deletes threads.

    Args:
        database: the service's database.
        cancel: cancels a run.
        checkpointer: where their states are.
        intents: where their writes are on record.
        history: reads them.
        answers: keeps answers that may be given again.
    """

    def __init__(
        self,
        database: AsyncEngine,
        cancel: Callable[[str], Awaitable[object]],
        checkpointer: BaseCheckpointSaver[Any],
        intents: Intents,
        history: History,
        answers: AnswerStore,
    ) -> None:
        self._database = database
        self._cancel = cancel
        self._checkpointer = checkpointer
        self._intents = intents
        self._history = history
        self._answers = answers

    async def delete(self, thread_id: str, owner: str | None) -> None:
        """Delete a thread; without an owner one that has no row. Its runs are cancelled first, wherever they run."""
        for run_id in await self._runs(thread_id):
            await self._cancel(run_id)
        await self._forget_writes(thread_id)
        # With its row gone, nothing can be asked in it any more.
        if owner is not None:
            await ThreadStore(self._database).delete(thread_id, owner)
        await self._checkpointer.adelete_thread(thread_id)
        await self._answers.forget(thread_id)

    async def _runs(self, thread_id: str) -> list[str]:
        # Those that are queued first, so that none of them begins when the one before it ends.
        wanted = select(runs.c.id).where(runs.c.thread_id == thread_id, runs.c.status.not_in(ENDED))
        async with self._database.connect() as connection:
            return list(await connection.scalars(wanted.order_by(runs.c.created.desc())))

    async def _forget_writes(self, thread_id: str) -> None:
        messages = (await self._history.values(thread_id)).get("messages", ())
        calls = {call for message in messages if isinstance(message, AIMessage) for call in calls_of(message)}
        of_calls = await self._intents.of_calls(calls)
        # A fork of the thread has calls of the same ids.
        own = {key_of(thread_id, of.call_id, element) for of in of_calls for element in range(MOST_FAN_OUT)}
        for intent in of_calls:
            if intent.key in own:
                await self._intents.withdraw(intent.key)
