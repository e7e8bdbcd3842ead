"""The knowledge base: folders of documents, kept as passages that are found by meaning and by words."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.errors import SelfhelpError
from agent.knowledge.chunks import Chunk, Undecodable
from agent.knowledge.embedders import Embedder
from agent.knowledge.folder import IndexReport, documents_in, load, reason_of
from agent.knowledge.store import Document, Store, has_words
from agent.knowledge.vectors import Vectors
from agent.state import Passage

logger = logging.getLogger(__name__)

LONGEST_QUERY = 2000
# How many passages meaning and words propose each, and how much of the score is meaning: measured on four public sets.
CANDIDATES = 100
DENSE_WEIGHT = 0.3

_REBUILD_BATCH = 256
_REMEDY = "run selfhelp index --rebuild"

Progress = Callable[[int, int], None]


class EmbedderChanged(SelfhelpError):
    """An index whose vectors are not those of the embedder it is opened with."""


class IndexUnusable(SelfhelpError):
    """An index that cannot be opened."""


class KnowledgeBase:
    """Collections of documents in one directory. Threads and event loops may share it; open it once per directory."""

    def __init__(self, store: Store, vectors: Vectors | None, embedder: Embedder | None) -> None:
        self._store = store
        self._vectors = vectors
        self._embedder = embedder
        self._name, self._dimension = (embedder.name, embedder.dimension) if embedder else ("none", None)
        self._writing = threading.Lock()

    @classmethod
    async def open(
        cls, directory: Path, embedder: Embedder | None, *, rebuild: bool = False, progress: Progress | None = None
    ) -> KnowledgeBase:
        """Open the knowledge base in a directory, or make an empty one.

        Args:
            directory: where it is kept.
            embedder: makes the vectors. Without one, search goes by words only.
            rebuild: make all vectors again with this embedder, from the text that is kept.
            progress: told after each batch how many passages of how many are rebuilt.

        Raises:
            EmbedderChanged: its vectors are another embedder's.
            IndexUnusable: the directory cannot be used, or what is in it is no index.
        """
        if embedder is None:
            logger.info("there is no embedder: documents are searched by their words only, not by meaning")
        base = await asyncio.to_thread(cls._open, directory, embedder)
        try:
            await cls._settle(base, progress, rebuild=rebuild)
        except BaseException:
            await base.close()
            raise
        return base

    @classmethod
    def _open(cls, directory: Path, embedder: Embedder | None) -> KnowledgeBase:
        # The store opens its file again and again, and the working directory may change.
        directory = directory.absolute()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            store = Store(directory / "knowledge.sqlite")
        except (OSError, sqlite3.Error) as error:
            raise IndexUnusable(
                f"the knowledge base in {directory} cannot be opened: {error}. "
                "Mend the folder's permissions, or delete it and index the documents again"
            ) from error
        try:
            return cls(store, Vectors(directory / "chroma") if embedder else None, embedder)
        except BaseException:
            store.close()
            raise

    async def _settle(self, progress: Progress | None, *, rebuild: bool) -> None:
        if rebuild or await asyncio.to_thread(self._is_new):
            await self._rebuild(progress)
        await asyncio.to_thread(self._sweep)

    async def close(self) -> None:
        """Close the index, after what is being written."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._writing:
            if self._vectors:
                self._vectors.close()
            self._store.close()

    async def index(
        self, folder: Path, *, collection: str = "default", progress: Progress | None = None
    ) -> IndexReport:
        """Make a collection hold the Markdown and text files of a folder, and no others.

        Args:
            folder: the folder, with the folders in it.
            collection: name of the collection.
            progress: told after each document how many of how many are done.

        Raises:
            NoDocuments: the folder is missing or has no such file. The collection stays as it was.
            EmbedderChanged: the embedder's vectors have another length than those of the index.
        """
        report = IndexReport()
        files = await asyncio.to_thread(documents_in, folder, report)
        hashes = await asyncio.to_thread(self._store.hashes, collection)
        for done, (name, path) in enumerate(files.items(), 1):
            try:
                loaded = await asyncio.to_thread(load, collection, name, path, hashes.get(name))
            except (OSError, Undecodable) as error:
                report.failed.append((name, reason_of(error)))
            else:
                outcome = report.unchanged
                if loaded:
                    await self._put(*loaded)
                    outcome = report.changed if name in hashes else report.added
                outcome.append(name)
            if progress:
                progress(done, len(files))
        unreadable = tuple(f"{name}/" for name, _ in report.failed)
        report.removed += [name for name in hashes if name not in files and not f"{name}/".startswith(unreadable)]
        await asyncio.to_thread(self._remove, collection, report.removed)
        return report

    async def search(self, query: str, *, k: int = 4, collection: str = "default") -> list[Passage]:
        """Find the passages that fit a query best, by meaning and by words.

        Args:
            query: any text, of which the first 2,000 characters count.
            k: the most to return.
            collection: name of the collection.

        Raises:
            EmbedderChanged: the embedder's vectors have another length than those of the index.
        """
        # Half a surrogate pair, such as a broken JSON escape leaves behind, cannot be encoded.
        query = query[:LONGEST_QUERY].encode(errors="ignore").decode()
        if not has_words(query):
            return []
        return await asyncio.to_thread(self._find, query, await self._embedded(query), k, collection)

    async def _embedded(self, query: str) -> list[float] | None:
        if not self._embedder:
            return None
        try:
            return await self._embedder.aembed_query(query)
        except Exception as error:  # noqa: BLE001 - whatever a server or library raises, words can still be looked up
            logger.warning("the query is searched by its words only, as %s failed: %s", self._name, error)
            return None

    def _find(self, query: str, vector: Sequence[float] | None, k: int, collection: str) -> list[Passage]:
        dense: dict[str, float] = {}
        if self._vectors and self._dimension and vector:
            self._expect(vector)
            dense = self._vectors.search(vector, collection, CANDIDATES)
        found = self._store.find(query, dense, collection, CANDIDATES)
        scores = _scores({key: dense[key] for key in dense if key in found.passages}, found.words)
        best = sorted(found.passages, key=lambda key: -scores[key])[:k]
        return [found.passages[key].model_copy(update={"score": scores[key]}) for key in best]

    async def _put(self, document: Document, chunks: Mapping[str, Chunk]) -> None:
        vectors: dict[str, Sequence[float]] = {}
        while missing := await asyncio.to_thread(self._replace, document, chunks, vectors):
            assert self._embedder  # without one no vector is missing
            embedded = await self._embedder.aembed([chunks[key].embedded for key in missing])
            vectors |= zip(missing, embedded, strict=True)

    def _replace(
        self, document: Document, chunks: Mapping[str, Chunk], vectors: Mapping[str, Sequence[float]]
    ) -> list[str]:
        """Put a document in the index; or, if chunks of it want vectors, do nothing but return their keys.

        The new chunks count as garbage until one transaction swaps the versions: where the process dies before that,
        the next one deletes their vectors.
        """
        with self._writing:
            if self._vectors:
                known = self._store.known(chunks)
                new = [key for key in chunks if key not in known]
                if missing := [key for key in new if key not in vectors]:
                    return missing
                for key in new:
                    self._expect(vectors[key])
                self._store.intend(new)
                self._vectors.upsert([(key, document.collection, vectors[key]) for key in new])
            self._store.replace(document, chunks)
            self._sweep()
        return []

    def _remove(self, collection: str, names: Sequence[str]) -> None:
        with self._writing:
            self._store.remove(collection, names)
            self._sweep()

    def _sweep(self) -> None:
        """Delete the vectors of chunks that are no more."""
        if garbage := self._store.garbage():
            if self._vectors:
                self._vectors.delete(garbage)
            self._store.forget(garbage)

    def _expect(self, vector: Sequence[float]) -> None:
        """Hold a vector to the length of those in the index, which the first one sets."""
        if self._dimension is None:
            self._dimension = len(vector)
            self._store.set_embedder(self._name, self._dimension)
        if len(vector) != self._dimension:
            raise EmbedderChanged(
                f"the index has vectors of {self._dimension} numbers, and {self._name} makes some of {len(vector)}: "
                f"{_REMEDY}"
            )

    def _is_new(self) -> bool:
        """Whether nothing is indexed yet, at least not by another embedder.

        Raises:
            EmbedderChanged: something is.
        """
        name, dimension = self._store.embedder() or (None, None)
        if name == self._name and (dimension == self._dimension or None in {dimension, self._dimension}):
            self._dimension = self._dimension or dimension
            return False
        if self._store.count() == 0:
            return True
        if name is None:
            raise EmbedderChanged(f"the last rebuild of the index broke off: {_REMEDY}")
        made_by, this = (f"{name} (vectors of {dimension})", f"{self._name} (vectors of {self._dimension})")
        raise EmbedderChanged(
            f"the index was made with {made_by}, and this is {this}: {_REMEDY}, or set the former again"
        )

    async def _rebuild(self, progress: Progress | None) -> None:
        """Make all vectors again. Until that is done the index is known to be incomplete."""
        await asyncio.to_thread(self._store.unset_embedder)
        if self._embedder and self._vectors:
            await asyncio.to_thread(self._vectors.reset)
            total = await asyncio.to_thread(self._store.count)
            done = last = 0
            while rows := await asyncio.to_thread(self._store.chunks, last, _REBUILD_BATCH):
                embedded = await self._embedder.aembed([chunk.embedded for *_, chunk in rows])
                self._dimension = len(embedded[0])
                vectors = [(key, of, vector) for (_, key, of, _), vector in zip(rows, embedded, strict=True)]
                await asyncio.to_thread(self._vectors.upsert, vectors)
                done, last = done + len(rows), rows[-1][0]
                if progress:
                    progress(done, total)
        await asyncio.to_thread(self._store.set_embedder, self._name, self._dimension)


def _scores(dense: Mapping[str, float], words: Mapping[str, float]) -> dict[str, float]:
    """Return scores from 0 to 1 by key.

    Args:
        dense: similarities by key.
        words: BM25 by key, positive.
    """
    low, high = min(dense.values(), default=0.0), max(dense.values(), default=0.0)
    spread = {key: (value - low) / (high - low) if high > low else 1.0 for key, value in dense.items()}
    top = max(words.values(), default=1.0)
    shares = {key: value / top for key, value in words.items()}
    if not spread or not shares:
        return spread or shares
    return {
        key: DENSE_WEIGHT * spread.get(key, 0.0) + (1 - DENSE_WEIGHT) * shares.get(key, 0.0)
        for key in spread.keys() | shares.keys()
    }
