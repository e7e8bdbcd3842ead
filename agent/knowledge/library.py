"""The deployment's own knowledge base, opened when it is first wanted and shared by everything in the process."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.errors import SettingsError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.documents import NoDocuments, Source
from agent.knowledge.embedders import Embedder, open_embedder
from agent.knowledge.ingest import Progress
from agent.knowledge.location import directory
from agent.knowledge.opening import OpenServer
from agent.knowledge.ranking import DENSE_WEIGHT
from agent.knowledge.sources import open_source
from agent.knowledge.sources.limits import LIMITS
from agent.knowledge.sources.site import Site
from agent.knowledge.vectors.chroma import chroma_server
from agent.knowledge.vectors.qdrant import qdrant_server
from agent.settings import Settings, SourceSettings

log = logging.getLogger(__name__)

_made: dict[tuple[str, Path], Future[KnowledgeBase]] = {}
_lock = threading.Lock()


async def open_knowledge(settings: Settings) -> KnowledgeBase:
    """Open the knowledge base that the settings name, brought up to date with its sources on this machine.

    Web sites are read by `selfhelp index` and the indexer graph alone, as that takes its time.

    Raises:
        SelfhelpError: it cannot be opened.
    """
    return await _once(("up to date", directory(settings)), lambda: _up_to_date(settings))


async def shared_base(settings: Settings) -> KnowledgeBase:
    """Open the knowledge base that the settings name, as it is.

    Raises:
        SelfhelpError: it cannot be opened.
    """
    return await _once(("open", directory(settings)), lambda: _opened_until_exit(settings))


async def source_of(wanted: SourceSettings) -> Source:
    """Open a source as the settings want it."""
    limits = replace(LIMITS, pages=wanted.pages) if wanted.pages else LIMITS
    return await asyncio.to_thread(open_source, wanted.at, limits=limits)


async def keys_of(at: str) -> tuple[str, ...]:
    """Return the keys that a source may have which a person names: as it is listed, or by a path from here."""
    return at, (await source_of(SourceSettings(at=at))).key


async def embedder_of(settings: Settings) -> Embedder | None:
    """Open the embedder that the settings name; None where documents are searched by their words alone.

    Raises:
        SelfhelpError: it cannot be opened.
    """
    return await open_embedder(
        settings.knowledge.embedder,
        openai_key=settings.openai_api_key,
        openai_url=settings.openai_base_url,
        base_url=settings.base_url,
        api_key=settings.api_key,
    )


async def open_base(settings: Settings, *, rebuild: bool = False, progress: Progress | None = None) -> KnowledgeBase:
    """Open the knowledge base with the embedder that the settings name.

    Args:
        settings: the settings.
        rebuild: whether all vectors are made anew.
        progress: is told how many passages of how many are rebuilt.
    """
    return await KnowledgeBase.open(
        directory(settings),
        await embedder_of(settings),
        server=_server(settings),
        dense_weight=DENSE_WEIGHT if settings.knowledge.dense_weight is None else settings.knowledge.dense_weight,
        rebuild=rebuild,
        progress=progress,
    )


async def _up_to_date(settings: Settings) -> KnowledgeBase:
    base = await shared_base(settings)
    for wanted in settings.knowledge.sources:
        source = await source_of(wanted)
        if isinstance(source, Site):
            continue
        try:
            await base.index(source, collection=wanted.collection, owner=wanted.owner)
        except NoDocuments as error:
            log.warning("searching what was indexed before: %s", error)
    return base


async def _opened_until_exit(settings: Settings) -> KnowledgeBase:
    base = await open_base(settings)
    atexit.register(base.close_at_once)
    return base


def _server(settings: Settings) -> OpenServer | None:
    """Return what opens the vectors' index on a server, where the settings name one."""
    if settings.chroma_url and settings.qdrant_url:
        raise SettingsError("chroma_url and qdrant_url are both set: keep the one that holds the vectors")
    if settings.chroma_url:
        return partial(chroma_server, settings.chroma_url, token=settings.chroma_token)
    if settings.qdrant_url:
        return partial(qdrant_server, settings.qdrant_url, key=settings.qdrant_key)
    return None


async def _once(what: tuple[str, Path], make: Callable[[], Awaitable[KnowledgeBase]]) -> KnowledgeBase:
    """Return what the first caller in this process made, to callers in whatever event loop."""
    with _lock:
        future = _made.get(what)
        is_first = future is None
        if future is None:
            future = _made[what] = Future()
    if is_first:
        making = asyncio.ensure_future(make())
        making.add_done_callback(lambda done: _pass_on(done, future, what))
    return await asyncio.shield(asyncio.wrap_future(future))


def _pass_on(done: asyncio.Future[KnowledgeBase], future: Future[KnowledgeBase], what: tuple[str, Path]) -> None:
    """Give everyone who waits what came of it; after a failure the next one tries again."""
    error = asyncio.CancelledError() if done.cancelled() else done.exception()
    if error is None:
        future.set_result(done.result())
        return
    del _made[what]
    future.set_exception(error)
