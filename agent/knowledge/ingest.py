"""Bringing a source's documents into the index: found, read, embedded and written side by side."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from agent.knowledge.chunks import Chunk, keyed
from agent.knowledge.documents import Found, IndexReport, Source
from agent.knowledge.embedders import Embedder, embedded
from agent.knowledge.engines import Engine
from agent.knowledge.formats import Unreadable, split
from agent.knowledge.store import Document
from agent.knowledge.writer import Prepared, Writer

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

Progress = Callable[[int, int], None]

# Part of every document's hash: raise it when documents are to be split anew.
SPLITTING = 3
# Chunks that are written together. More wait for nothing: what is ready when the writer is, is written.
MOST_WRITTEN = 1000
# Texts in one call of an embedder here, and of one behind the network, whose answers are also waited for side by side.
EMBEDDED_AT_ONCE = 32
SENT_AT_ONCE = 256
REQUESTS = 16


@dataclass(frozen=True)
class Target:
    """Where documents go.

    Args:
        collection: name of the collection.
        source: key of their source.
        owner: whose they are, None for everybody's.
    """

    collection: str
    source: str
    owner: str | None


@dataclass(frozen=True)
class _Ready:
    """A document that can be written."""

    prepared: Prepared
    vectors: Mapping[str, Vector]


class Ingest:
    """One run over one source. Documents in work are a few for each worker, however many there are.

    Args:
        target: where its documents go.
        known: hashes by name of the documents that the index has of it.
        writer: writes them.
        embedder: embeds them, where there is one.
        engine: does the work.
        progress: told after each document how many of those found so far are done.
        embedding: told how many of the passages that are known to need it are embedded.
    """

    def __init__(
        self,
        target: Target,
        known: Mapping[str, str],
        writer: Writer,
        embedder: Embedder | None,
        engine: Engine,
        progress: Progress | None,
        embedding: Progress | None,
    ) -> None:
        self.report = IndexReport()
        self.names: set[str] = set()
        self._target = target
        self._known = known
        self._writer = writer
        self._embedder = embedder
        self._engine = engine
        self._progress = progress
        self._embedding = embedding
        self._readers = REQUESTS if embedder and not embedder.in_process else 2 * engine.workers
        self._done = 0
        self._to_embed = 0
        self._embedded = 0
        self._found: asyncio.Queue[Found | None] = asyncio.Queue()
        self._ready: asyncio.Queue[_Ready | None] = asyncio.Queue(self._readers)

    async def run(self, source: Source) -> None:
        """Index the source's documents. What is no longer in it is left to the caller."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._find(source))
                readers = [tasks.create_task(self._read()) for _ in range(self._readers)]
                tasks.create_task(self._write())
                await asyncio.wait(readers)
                await self._ready.put(None)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _find(self, source: Source) -> None:
        async for found in source.find(self.report):
            self.names.add(found.name)
            self._found.put_nowait(found)
        for _ in range(self._readers):
            self._found.put_nowait(None)

    async def _read(self) -> None:
        while found := await self._found.get():
            try:
                prepared = await self._engine.run(load, self._target, found, self._known.get(found.name))
            except (OSError, Unreadable) as error:
                self.report.failed.append((found.name, getattr(error, "strerror", None) or str(error)))
                self._count(1)
                continue
            if prepared is None:
                self.report.unchanged.append(found.name)
                self._count(1)
                continue
            missing = await asyncio.to_thread(self._writer.missing, list(prepared[1]))
            await self._ready.put(_Ready(prepared, await self._vectors(prepared[1], missing)))

    async def _vectors(self, chunks: Mapping[str, Chunk], keys: list[str]) -> dict[str, Vector]:
        if self._embedder is None or not keys:
            return {}
        size = EMBEDDED_AT_ONCE if self._embedder.in_process else SENT_AT_ONCE
        batches = [keys[start : start + size] for start in range(0, len(keys), size)]
        self._to_embed += len(keys)
        self._count_embedded(0)
        rows = await asyncio.gather(*(self._embed([chunks[key].embedded for key in batch]) for batch in batches))
        return dict(zip(keys, (row for batch in rows for row in batch), strict=True))

    async def _embed(self, texts: list[str]) -> Vector:
        assert self._embedder, "without one no vector is missing"
        if self._embedder.in_process:
            rows = await self._engine.run(embedded, self._embedder.embeddings, texts)
        else:
            rows = await self._embedder.aembed(texts)
        self._count_embedded(len(texts))
        return rows

    async def _write(self) -> None:
        while ready := await self._ready.get():
            batch = [ready]
            while sum(len(item.prepared[1]) for item in batch) < MOST_WRITTEN and not self._ready.empty():
                if (ready := self._ready.get_nowait()) is None:
                    await self._put(batch)
                    return
                batch.append(ready)
            await self._put(batch)

    async def _put(self, batch: list[_Ready]) -> None:
        prepared = [item.prepared for item in batch]
        vectors = {key: vector for item in batch for key, vector in item.vectors.items()}
        chunks = {key: chunk for _, of_document in prepared for key, chunk in of_document.items()}
        # Another run over the same source may have removed chunks whose vectors were there before.
        while missing := await self._written(prepared, vectors):
            vectors |= await self._vectors(chunks, missing)
        for document, _ in prepared:
            outcome = self.report.changed if document.name in self._known else self.report.added
            outcome.append(document.name)
        self._count(len(batch))

    async def _written(self, prepared: list[Prepared], vectors: dict[str, Vector]) -> list[str]:
        """Write documents, or return keys that want vectors. Nothing is still being written once this has ended."""
        writing = asyncio.ensure_future(asyncio.to_thread(self._writer.put, prepared, vectors))
        try:
            return await asyncio.shield(writing)
        finally:
            await asyncio.wait([writing])

    def _count(self, documents: int) -> None:
        self._done += documents
        if self._progress:
            self._progress(self._done, len(self.names))

    def _count_embedded(self, passages: int) -> None:
        self._embedded += passages
        if self._embedding:
            self._embedding(self._embedded, self._to_embed)


def load(target: Target, found: Found, known: str | None) -> Prepared | None:
    """Read a document and split it; None where its hash is the known one.

    Raises:
        OSError: it cannot be read.
        Unreadable: it is not what its name says.
    """
    content = found.read()
    digest = hashlib.sha256("\0".join((str(SPLITTING), found.kind, found.uri, target.owner or "", "")).encode())
    digest.update(content)
    if digest.hexdigest() == known:
        return None
    chunks = split(content, found.name, found.kind)
    title = chunks[0].title if chunks else PurePath(found.name).stem
    document = Document(
        target.collection,
        target.source,
        found.name,
        found.uri,
        digest.hexdigest(),
        title,
        found.kind,
        target.owner,
        found.modified,
    )
    return document, keyed(chunks, target.collection, target.source, found.name)
