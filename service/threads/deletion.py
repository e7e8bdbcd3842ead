"""Deleting a thread: everything that is kept of it but what it cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.answer_store import AnswerStore
from agent.checkpoints import last_change
from agent.intents import Intent, Intents, key_of
from agent.state import records_of
from service.records.tables import runs
from service.runs.records import ENDED, Busy, NoThread
from service.threads.history import History
from service.threads.store import ThreadStore

# What agent.context.Context lets a call fan out to.
MOST_FAN_OUT = 1000
# Seconds for which the runs of a thread are cancelled, and between one time and the next.
PATIENCE = 20.0
AGAIN = 0.1


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
        """Delete a thread; without an owner one that has no row. Its runs are cancelled first, wherever they run.

        Raises:
            Busy: a run of it does not end, though it is cancelled. The thread stays.
        """
        if owner is not None:
            await self._delete_row(thread_id, owner)
        await self._forget(thread_id)

    async def delete_unused(self, thread_id: str, owner: str | None, before: float) -> bool:
        """Delete a thread in which nothing has happened since a time, and return whether that is so."""
        if owner is None:
            if (await last_change(self._checkpointer, thread_id) or 0.0) >= before:
                return False
        else:
            try:
                await ThreadStore(self._database).delete(thread_id, owner, before=before)
            except (Busy, NoThread):
                return False
        await self._forget(thread_id)
        return True

    async def forget_writes(self, thread_id: str) -> None:
        """Forget what is on record of a thread's writes. They are found by what it says, so this goes first."""
        messages = (await self._history.values(thread_id)).get("messages", ())
        calls = records_of(messages)
        if not calls:
            return
        of_calls = await self._intents.of_calls(calls)
        for key in await asyncio.to_thread(_own, thread_id, of_calls):
            await self._intents.withdraw(key)

    async def _delete_row(self, thread_id: str, owner: str) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            for run_id in await self._runs(thread_id):
                await self._cancel(run_id)
            try:
                return await ThreadStore(self._database).delete(thread_id, owner)
            except NoThread:
                return None
            except Busy:  # one that has begun since, or that ends in another process
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(AGAIN)

    async def _forget(self, thread_id: str) -> None:
        """Forget what is kept of a thread without a row, in which nothing can be asked any more."""
        await self.forget_writes(thread_id)
        await self._answers.forget(thread_id)
        # They are last, since what is left behind of a thread is found by them.
        await self._checkpointer.adelete_thread(thread_id)

    async def _runs(self, thread_id: str) -> list[str]:
        # Those that are queued first, so that none of them begins when the one before it ends.
        wanted = select(runs.c.id).where(runs.c.thread_id == thread_id, runs.c.status.not_in(ENDED))
        async with self._database.connect() as connection:
            return list(await connection.scalars(wanted.order_by(runs.c.created.desc())))


def _own(thread_id: str, intents: Sequence[Intent]) -> set[str]:
    """Return the keys of a thread's own intents: a fork of it has calls of the same ids."""
    elements = range(MOST_FAN_OUT)
    calls = {intent.call_id for intent in intents}
    own = {key_of(thread_id, call, element) for call in calls for element in elements}
    return own & {intent.key for intent in intents}
