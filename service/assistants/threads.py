"""Threads of an export as threads of the service: readable, and ready to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from sqlalchemy.ext.asyncio import AsyncEngine

from graphs.assistant import AssistantGraph
from service.assistants.dump import Dump, Object, created
from service.assistants.messages import Quote, transcript
from service.assistants.outcome import Imported
from service.runs.store import title_of
from service.threads.store import Thread, ThreadStore

ORIGIN = "assistants"


class Threads:
    """Takes threads over.

    Args:
        dump: the export.
        database: the service's database.
        graph: the assistant, over the service's checkpointer.
        imported: takes what became of them.
    """

    def __init__(self, dump: Dump, database: AsyncEngine, graph: AssistantGraph, imported: Imported) -> None:
        self._dump = dump
        self._store = ThreadStore(database)
        self._graph = graph
        self._imported = imported

    async def take(self, thread: Object, persona: str | None, owner: str, quote: Quote) -> None:
        """Take a thread over, unless it was before: what was said in it since stays.

        Args:
            thread: the thread.
            persona: who speaks in it.
            owner: whose it becomes.
            quote: finds cited passages.
        """
        # The same thread of the same owner has the same id at every import.
        thread_id = uuid5(NAMESPACE_URL, f"{owner}\n{thread['id']}").hex
        if await self._store.get(thread_id, owner):
            self._imported.threads[thread["id"]] = thread_id
            self._imported.unchanged.append(str(thread["id"]))
            return
        said = await transcript(thread["id"], self._dump, quote)
        self._imported.gaps += said.gaps
        self._imported.malformed += said.malformed
        if not said.messages:
            self._imported.malformed.append((thread["id"], "the thread has no messages"))
            return
        # Steps and sources of the latest turn are read from the messages too, where the state holds none.
        state: Any = {"messages": said.messages}
        config = RunnableConfig(configurable={"thread_id": thread_id, "checkpoint_ns": ""})
        # Its messages first: an import that is cut off between the two is done again, and finds them by their ids.
        await self._graph.aupdate_state(config, state, as_node="responder")
        question = next((str(each.text) for each in said.messages if isinstance(each, HumanMessage)), "")
        times = [created(each) for each in self._dump.messages.values() if each["thread_id"] == thread["id"]]
        first = created(thread) or min(filter(None, times), default=0.0)
        last = max([first, *times])
        details = {"imported_from": thread["id"], **_metadata(thread)}
        await self._store.add(Thread(thread_id, owner, title_of(question), persona, ORIGIN, details, first, last))
        self._imported.threads[thread["id"]] = thread_id


def speaker_of(thread: Object, dump: Dump) -> str:
    """Return the id of the assistant that spoke last in a thread; empty where the export does not say."""
    said = [each for each in (*dump.runs.values(), *dump.messages.values()) if each.get("thread_id") == thread["id"]]
    named = [each for each in said if isinstance(each.get("assistant_id"), str)]
    return str(max(named, key=created)["assistant_id"]) if named else ""


def _metadata(thread: Object) -> dict[str, Any]:
    metadata = thread.get("metadata")
    return dict(metadata) if isinstance(metadata, Mapping) else {}
