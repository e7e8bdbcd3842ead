"""Opening a knowledge base: with vectors of the right embedder, and mended where it was damaged."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from agent.errors import SelfhelpError
from agent.knowledge import probe
from agent.knowledge.database import Database, StoreFailed
from agent.knowledge.embedders import Embedder
from agent.knowledge.lock import FolderLock
from agent.knowledge.store import Store
from agent.knowledge.vectors import VectorIndex
from agent.knowledge.vectors.chroma import chroma_folder
from agent.knowledge.writer import REMEDY, EmbedderChanged, Writer

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


class OpenServer(Protocol):
    """Opens the index of a vector database that runs as a server."""

    def __call__(self, *, name: str) -> VectorIndex:
        """Open the index of a name."""
        ...


SAMPLES = 200
REBUILD_BATCH = 256


class IndexUnusable(SelfhelpError):
    """An index that cannot be opened."""


@dataclass
class Parts:
    """What a knowledge base is made of. Every method blocks.

    Args:
        database: the file.
        store: documents, chunks and vectors in it.
        writer: writes store and index.
        index: the vector index; None where there is no embedder, or another process has it open.
        chroma: Chroma's folder, where this process has it open.
        lock: of the process that has Chroma's folder open; None where the vectors are on a server.
    """

    database: Database
    store: Store
    writer: Writer
    index: VectorIndex | None
    chroma: Path | None
    lock: FolderLock | None
    _is_closed: bool = False

    def close(self) -> None:
        """Close everything, after what this process is writing. What is closed may be closed again."""
        with self.writer.idle():
            if self._is_closed:
                return
            self._is_closed = True
            with ExitStack() as last:
                if self.lock:
                    last.callback(self.lock.release)
                last.callback(self.database.close)
                if self.index:
                    self.index.close()
                if self.chroma:
                    # Where a full disk does not take the note, the next start tries the folder out.
                    with suppress(StoreFailed):
                        self.database.note(closed=probe.sizes(self.chroma))


def open_parts(directory: Path, embedder: Embedder | None, server: OpenServer | None) -> Parts:
    """Open what a directory holds; a damaged Chroma folder is taken away.

    One process has Chroma's folder open. Another one then compares the vectors in the store, and writes to the store
    only: what it writes is in doubt there, until the one that has the folder takes it over.

    Args:
        directory: the directory; it is made if need be.
        embedder: whose vectors it is to have, if any.
        server: opens the index of a vector database, where there is one; a Chroma folder is used when None.

    Raises:
        IndexUnusable: the directory cannot be used, or what is in it is no index.
    """
    # The store opens its file again and again, and the working directory may change.
    directory = directory.absolute()
    undo = ExitStack()
    with undo:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = None if server else FolderLock(directory)
            if lock and lock.acquire():
                undo.callback(lock.release)
            database = Database(directory / "knowledge.sqlite")
            undo.callback(database.close)
        except (OSError, sqlite3.Error) as error:
            raise IndexUnusable(
                f"the knowledge base in {directory} cannot be opened: {error}. "
                "Free the disk or mend the folder's permissions; if it holds something else, delete it and index the "
                "documents again"
            ) from error
        store = Store(database)
        index, chroma = None, None
        if embedder and server:
            index = server(name=f"selfhelp-{database.meta('id')}")
        elif embedder and lock and lock.is_held:
            chroma = directory / "chroma"
            _take_away_damaged(chroma, database, store)
            index = _opened(chroma)
        undo.pop_all()
    alone = FileLock(directory / "writing.lock", thread_local=False)
    return Parts(database, store, Writer(database, store, index, alone, embeds=bool(embedder)), index, chroma, lock)


def _take_away_damaged(chroma: Path, database: Database, store: Store) -> None:
    """Delete a Chroma folder that cannot be relied on; it is filled again from the store."""
    if not chroma.exists():
        return
    closed = database.meta("closed")
    if closed == probe.sizes(chroma):
        return
    # After an unclean exit nothing was noted.
    if closed is None and probe.is_sound(chroma, store.sample(SAMPLES)):
        return
    logger.warning("the vector index in %s is damaged: it is made anew from the vectors in the store", chroma)
    shutil.rmtree(chroma)


def _opened(chroma: Path) -> VectorIndex:
    try:
        return chroma_folder(chroma)
    except Exception as error:
        raise IndexUnusable(
            f"the vector index in {chroma} cannot be opened: {error}. Free the disk or mend the folder's permissions; "
            "else delete this folder, and it is made anew from the store beside it"
        ) from error


async def settle(parts: Parts, embedder: Embedder | None, progress: Progress | None, *, rebuild: bool) -> None:
    """See to it that store and index hold the same vectors, which are the embedder's.

    Args:
        parts: the knowledge base.
        embedder: the embedder; None where documents are searched by their words only.
        progress: told how many passages of how many are embedded or put into the index again.
        rebuild: embed everything anew.

    Raises:
        EmbedderChanged: the vectors are another's, and no rebuild is asked for.
        InUse: they are to be made anew, and another process has the index open.
    """
    if parts.lock and (rebuild or await asyncio.to_thread(parts.database.meta, "embedder") is None):
        await asyncio.to_thread(parts.lock.expect)
    if rebuild or await asyncio.to_thread(_is_anothers, parts, embedder):
        await _embed_all(parts, embedder, progress)
    await asyncio.to_thread(parts.writer.sweep)
    if await asyncio.to_thread(_differ, parts):
        logger.warning("the vector index is incomplete: it is filled again from the vectors in the store")
        await asyncio.to_thread(parts.writer.refill, progress)


def _differ(parts: Parts) -> bool:
    with parts.writer.exclusive():
        return parts.index is not None and parts.index.count() != parts.store.vector_count()


def _is_anothers(parts: Parts, embedder: Embedder | None) -> bool:
    """Whether nothing is indexed yet, at least not by this embedder.

    Raises:
        EmbedderChanged: something is, by another.
    """
    name, dimension = parts.database.meta("embedder"), parts.database.meta("dimension")
    this, length = (embedder.name, embedder.dimension) if embedder else ("none", None)
    if name == this and (dimension == length or None in {dimension, length}):
        return False
    if parts.store.count() == 0:
        return True
    if name is None:
        raise EmbedderChanged(f"the last rebuild of the index broke off: {REMEDY}")
    raise EmbedderChanged(
        f"the index was made with the embedder {_described(name, dimension)}, and {_described(this, length)} is set "
        f"now: {REMEDY}, or set the former again"
    )


def _described(name: object, dimension: object) -> str:
    return f"{name} (vectors of {dimension})" if dimension else str(name)


async def _embed_all(parts: Parts, embedder: Embedder | None, progress: Progress | None) -> None:
    """Embed all chunks anew. Where a rebuild with the same embedder broke off, it goes on there."""
    name = embedder.name if embedder else "none"
    if await asyncio.to_thread(parts.database.meta, "rebuilding") != name:
        await asyncio.to_thread(parts.store.drop_vectors, name)
    if embedder:
        total = await asyncio.to_thread(parts.store.count)
        while rows := await asyncio.to_thread(parts.store.without_vector, REBUILD_BATCH):
            texts = [text for _, text in rows]
            quarter = max(1, len(texts) // 4)
            parted = [texts[start : start + quarter] for start in range(0, len(texts), quarter)]
            vectors = [row for part in await asyncio.gather(*map(embedder.aembed, parted)) for row in part]
            await asyncio.to_thread(parts.writer.complete, [row for row, _ in rows], vectors)
            if progress:
                progress(await asyncio.to_thread(parts.store.vector_count), total)
    await asyncio.to_thread(parts.database.note, embedder=name, rebuilding=None)
    await asyncio.to_thread(parts.writer.refill, progress)
