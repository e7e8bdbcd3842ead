"""What the requests of one process share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request
from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.answer_store import AnswerStore
from agent.checkpoints import open_checkpointer
from agent.intents import open_intents
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.library import open_knowledge, shared_base
from agent.ledger.ledger import Ledger
from agent.settings import Settings
from graphs.assistant import AssistantGraph, build
from service.documents import Documents
from service.http.callers import Callers
from service.http.limits import Limits
from service.records.database import open_database
from service.records.keys import Keys
from service.retention import Retention
from service.runs.runner import Runner
from service.threads.archive import Archive
from service.threads.deletion import Deletion
from service.threads.history import History
from service.tracing import traced


@dataclass(frozen=True)
class Services:
    """What the requests of one process share.

    Args:
        settings: the settings.
        database: the service's database.
        checkpointer: where threads are kept.
        graph: the assistant, over that checkpointer.
        callers: tells who calls.
        limits: counts what they ask for.
        runner: runs turns of threads.
        knowledge: opens the knowledge base.
        documents: people's own documents.
        ledger: what model calls used.
        history: reads threads.
        deletion: deletes them.
    """

    settings: Settings
    database: AsyncEngine
    checkpointer: BaseCheckpointSaver[Any]
    graph: AssistantGraph
    callers: Callers
    limits: Limits
    runner: Runner
    knowledge: Callable[[], Awaitable[KnowledgeBase]]
    documents: Documents
    ledger: Ledger
    history: History
    deletion: Deletion


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open what requests need, for as long as the context lasts.

    Raises:
        SettingsError: a database cannot be opened.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(traced(settings.tracing))
        database = await stack.enter_async_context(open_database(settings))
        checkpointer = await stack.enter_async_context(open_checkpointer(settings))
        graph = build(settings=settings, checkpointer=checkpointer)
        callers = Callers(settings.service, Keys(database))
        runner = await stack.enter_async_context(Runner(graph, database))
        knowledge = partial(open_knowledge, settings)
        # People's documents do not wait until those of the deployment are indexed.
        as_it_is = partial(shared_base, settings)
        documents = await stack.enter_async_context(Documents(database, settings.data_dir, as_it_is))
        history = History(graph, database)
        kept = open_intents(settings), history, AnswerStore(settings)
        deletion = Deletion(database, runner.cancel, checkpointer, *kept)
        retention = Retention(settings.retention, Archive(database, checkpointer, deletion), documents)
        await stack.enter_async_context(retention.open())
        yield Services(
            settings,
            database,
            checkpointer,
            graph,
            callers,
            Limits(),
            runner,
            knowledge,
            documents,
            Ledger(settings),
            history,
            deletion,
        )


# Asynchronous, though it waits for nothing: anything else is called in a thread.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Shared = Annotated[Services, Depends(_services)]
