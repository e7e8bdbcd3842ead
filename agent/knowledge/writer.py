"""Writing documents so that a kill at any moment leaves each of them whole: as it was, or as it is now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from agent.errors import SelfhelpError
from agent.knowledge.chunks import Chunk
from agent.knowledge.database import Database
from agent.knowledge.store import Document, Store
from agent.knowledge.vectors import Entry, VectorIndex

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

REFILL_BATCH = 2000
# A search waits for it: about a second.
CAUGHT_UP_AT_ONCE = 500
REMEDY = "run selfhelp index --rebuild"

Prepared = tuple[Document, Mapping[str, Chunk]]


class EmbedderChanged(SelfhelpError):
    """An index whose vectors are not those of the embedder it is opened with."""


class VectorsFailed(SelfhelpError):
    """A vector index that cannot be written."""


class Writer:
    """Writes to store and vector index. Threads may share it; every method blocks.

    A chunk's key is in doubt from before its vector is written until its document is replaced, in one transaction of
    the store. So where the process dies in between, the next one puts what the store has of it in the vector index.

    Args:
        database: the store's file.
        store: the truth.
        index: the vectors; None where there is no embedder, or another process has the index open.
        alone: keeps other processes from writing meanwhile.
        embeds: whether there is an embedder.
    """

    def __init__(
        self, database: Database, store: Store, index: VectorIndex | None, alone: FileLock, *, embeds: bool
    ) -> None:
        self._database = database
        self._store = store
        self._index = index
        self._alone = alone
        self._embeds = embeds
        # Another process takes over what this one writes.
        self._is_followed = embeds and index is None
        self._writing = threading.Lock()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep everyone else from writing meanwhile."""
        with self._writing, self._alone:
            yield

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Keep this process from writing meanwhile."""
        with self._writing:
            yield

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Return those of the keys whose chunks want a vector."""
        known = self._store.vectors(keys) if self._embeds else keys
        return [key for key in keys if key not in known]

    def put(self, documents: Sequence[Prepared], vectors: Mapping[str, Vector]) -> list[str]:
        """Put documents in the place of their older versions; or, if chunks want vectors, only return their keys.

        Args:
            documents: the documents with their chunks by key.
            vectors: vectors of chunks that are new, by key.

        Raises:
            StoreFailed, VectorsFailed: nothing was changed.
        """
        with self.exclusive():
            if self._embeds:
                self._measure(vectors.values())
                entries, missing = self._entries(documents, vectors)
                if missing:
                    return missing
                if self._index:
                    self._store.intend([entry.key for entry in entries])
                    with _explained():
                        self._index.upsert(entries)
            self._store.replace(documents, vectors, in_doubt=self._is_followed)
            self._sweep()
        return []

    def remove(self, collection: str, source: str, names: Sequence[str]) -> None:
        """Remove documents of a source."""
        with self.exclusive():
            self._store.remove(collection, source, names)
            self._sweep()

    def sweep(self) -> None:
        """Bring the vector index in line with the store, where a killed process has left it behind or ahead."""
        with self.exclusive():
            self._sweep()

    def catch_up(self) -> None:
        """Bring the vector index in line with what another process wrote, a batch of it, unless somebody writes now.

        Raises:
            StoreFailed, VectorsFailed: it stays behind.
        """
        if self._is_followed or not self._store.doubted(1) or not self._writing.acquire(blocking=False):
            return
        try:
            with self._alone.acquire(blocking=False):
                self._sweep_some(CAUGHT_UP_AT_ONCE)
        except Timeout:
            return
        finally:
            self._writing.release()

    def refill(self, progress: Callable[[int, int], None] | None) -> None:
        """Fill the vector index anew with the vectors that the store keeps.

        Args:
            progress: told how many of how many are done.
        """
        if self._index is None:
            return
        with self.exclusive(), _explained():
            total, done, last = self._store.vector_count(), 0, 0
            self._store.intend(())
            self._index.reset()
            while True:
                last, entries = self._store.entries(last, REFILL_BATCH)
                if not entries:
                    break
                self._index.upsert(entries)
                done += len(entries)
                if progress:
                    progress(done, total)

    def complete(self, rows: Sequence[int], vectors: Sequence[Vector]) -> None:
        """Keep the vectors of chunks that had none, by their row numbers."""
        with self.exclusive():
            self._measure(vectors)
            self._store.add_vectors(zip(rows, vectors, strict=True))

    def expect(self, *vectors: Vector) -> None:
        """Hold vectors to the length of those in the index.

        Raises:
            EmbedderChanged: one is longer or shorter.
        """
        lengths = {len(vector) for vector in vectors}
        dimension = self._database.meta("dimension")
        if dimension is not None and (others := lengths - {dimension}):
            raise EmbedderChanged(
                f"the index has vectors of {dimension} numbers, and the embedder makes some of {min(others)}: {REMEDY}"
            )

    def _measure(self, vectors: Collection[Vector]) -> None:
        """Hold vectors to the length of those in the index, which the first one ever sets."""
        if vectors and self._database.meta("dimension") is None:
            self._database.note(dimension=len(next(iter(vectors))))
        self.expect(*vectors)

    def _sweep(self) -> None:
        while not self._is_followed and self._sweep_some(REFILL_BATCH):
            continue

    def _sweep_some(self, most: int) -> bool:
        """Bring the vector index in line with the store for some keys in doubt, and return whether there were any."""
        doubted = self._store.doubted(most)
        if doubted and self._index:
            self._store.intend(())
            kept = self._store.entries_of(doubted)
            with _explained():
                self._index.upsert(kept)
                self._index.delete(list({*doubted} - {entry.key for entry in kept}))
        if doubted:
            self._store.settle(doubted)
        return bool(doubted)

    def _entries(self, documents: Sequence[Prepared], vectors: Mapping[str, Vector]) -> tuple[list[Entry], list[str]]:
        """Return what the vector index is to hold of documents, and the keys of chunks that have no vector."""
        kept = self._store.vectors([key for _, chunks in documents for key in chunks if key not in vectors])
        entries, missing = [], []
        for of, chunks in documents:
            for key in chunks:
                vector = vectors.get(key, kept.get(key))
                if vector is None:
                    missing.append(key)
                    continue
                entries.append(Entry(key, vector, of.collection, of.source, of.kind, of.owner, of.modified))
        return entries, missing


@contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever the vector database raises into one error that says what to do."""
    try:
        yield
    except SelfhelpError:
        raise
    except Exception as error:
        raise VectorsFailed(
            f"the vector index cannot be written: {error}. Nothing that was stored before is lost: free the disk or "
            "start the vector database, and run it again"
        ) from error
