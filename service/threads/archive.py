"""All threads of a deployment, whoever's they are: for whoever runs it, and never for its callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.checkpoints import last_changes
from service.threads.deletion import Deletion
from service.threads.store import State, all_threads


@dataclass(frozen=True)
class Kept:
    """A thread that is kept. Times are seconds since 1970.

    Args:
        id: its id.
        owner: whose it is; None where nobody's name is on record, as with those of the command line.
        title: its title, where it has one.
        updated: when something was last asked or changed.
        status: whether a run is under way, or waits for a person.
    """

    id: str
    owner: str | None
    title: str
    updated: float
    status: State


class Archive:
    """Threads with and without a row: `selfhelp chat` and LangGraph's server leave checkpoints alone.

    Args:
        database: the service's database.
        checkpointer: where states are kept.
        deletion: deletes them.
    """

    def __init__(self, database: AsyncEngine, checkpointer: BaseCheckpointSaver[Any], deletion: Deletion) -> None:
        self._database = database
        self._checkpointer = checkpointer
        self._deletion = deletion

    async def all(self) -> list[Kept]:
        """Return every thread, the one with the latest news first."""
        rows = {
            thread.id: Kept(thread.id, thread.owner, thread.title, thread.updated, thread.status)
            for thread in await all_threads(self._database)
        }
        changes = await last_changes(self._checkpointer)
        bare = {name: Kept(name, None, "", at, "idle") for name, at in changes.items() if name not in rows}
        return sorted((rows | bare).values(), key=lambda thread: thread.updated, reverse=True)

    async def find(self, thread_id: str) -> Kept | None:
        """Return a thread."""
        return next((thread for thread in await self.all() if thread.id == thread_id), None)

    async def unused_since(self, before: float) -> list[Kept]:
        """Return the threads in which nothing has happened since a time. What runs now is none of them."""
        return [thread for thread in await self.all() if thread.updated < before and thread.status != "running"]

    async def delete(self, thread: Kept) -> None:
        """Delete a thread and all that is kept of it but what it cost."""
        await self._deletion.delete(thread.id, thread.owner)

    async def delete_unused(self, thread: Kept, before: float) -> bool:
        """Delete a thread if still nothing has happened in it since a time, and return whether that is so."""
        return await self._deletion.delete_unused(thread.id, thread.owner, before)
