"""The deployment's own knowledge base, opened when it is first wanted and shared by everything in the process."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from pathlib import Path

from agent.knowledge.base import KnowledgeBase, Progress
from agent.knowledge.embedders import open_embedder
from agent.knowledge.folder import NoDocuments
from agent.settings import Settings

log = logging.getLogger(__name__)

_opened: dict[Path, Future[KnowledgeBase]] = {}
_lock = threading.Lock()


def directory(settings: Settings) -> Path:
    """Return the folder that the knowledge base is kept in."""
    return settings.data_dir / "knowledge"


def is_there(settings: Settings) -> bool:
    """Whether there is anything to search: a folder of documents is set, or one was indexed before."""
    return settings.knowledge.folder is not None or (directory(settings) / "knowledge.sqlite").exists()


async def open_knowledge(settings: Settings) -> KnowledgeBase:
    """Open the knowledge base that the settings name, with the folder of documents read into it.

    Raises:
        SelfhelpError: it cannot be opened.
    """
    place = directory(settings)
    with _lock:
        future = _opened.get(place)
        opens = future is None
        if future is None:
            future = _opened[place] = Future()
    if opens:
        opening = asyncio.ensure_future(_open(settings))
        opening.add_done_callback(lambda done: _pass_on(done, future, place))
    return await asyncio.shield(asyncio.wrap_future(future))


async def open_base(settings: Settings, *, rebuild: bool = False, progress: Progress | None = None) -> KnowledgeBase:
    """Open the knowledge base with the embedder that the settings name.

    Args:
        settings: the settings.
        rebuild: whether all vectors are made anew.
        progress: is told how many passages of how many are rebuilt.
    """
    embedder = await open_embedder(
        settings.knowledge.embedder,
        openai_key=settings.openai_api_key,
        openai_url=settings.openai_base_url,
        base_url=settings.base_url,
        api_key=settings.api_key,
    )
    return await KnowledgeBase.open(directory(settings), embedder, rebuild=rebuild, progress=progress)


async def _open(settings: Settings) -> KnowledgeBase:
    base = await open_base(settings)
    if settings.knowledge.folder is not None:
        try:
            await base.index(settings.knowledge.folder)
        except NoDocuments as error:
            log.warning("searching what was indexed before: %s", error)
    return base


def _pass_on(done: asyncio.Future[KnowledgeBase], future: Future[KnowledgeBase], place: Path) -> None:
    """Give everyone who waits what opening came to; after a failure the next one tries again."""
    error = asyncio.CancelledError() if done.cancelled() else done.exception()
    if error is None:
        future.set_result(done.result())
        return
    del _opened[place]
    future.set_exception(error)
