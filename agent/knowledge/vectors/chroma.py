"""The chunks' vectors, in a Chroma folder. What it holds can be made again from the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from chromadb import Collection

Item = TypeVar("Item")

BATCH = 500

_COLLECTION = "chunks"
# Chroma shares what it opened per folder, and does not guard that against threads.
_opening = threading.Lock()


class Vectors:
    """Vectors by key, compared by cosine. Threads may share it; every method blocks.

    Args:
        folder: Chroma's folder; it is made if need be.
    """

    def __init__(self, folder: Path) -> None:
        # Importing Chroma takes 2 seconds.
        import chromadb
        from chromadb.config import Settings

        # Without _env_file Chroma reads the .env in the working directory, which is not its own.
        settings = Settings(_env_file=None, anonymized_telemetry=False)
        with _opening:
            self._client = chromadb.PersistentClient(folder.resolve(), settings=settings)
        self._collection = self._open()

    def _open(self) -> Collection:
        return self._client.get_or_create_collection(
            _COLLECTION, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )

    def upsert(self, vectors: Sequence[tuple[str, str, Sequence[float]]]) -> None:
        """Add vectors, or replace those of the same keys.

        Args:
            vectors: key, document collection and vector of each. All vectors here are of one length.
        """
        for batch in _batches(vectors):
            keys, collections, values = zip(*batch, strict=True)
            self._collection.upsert(
                ids=list(keys), embeddings=list(values), metadatas=[{"collection": name} for name in collections]
            )

    def delete(self, keys: Sequence[str]) -> None:
        """Delete the vectors of these keys; those that are not there do not matter."""
        for batch in _batches(keys):
            self._collection.delete(ids=batch)

    def search(self, vector: Sequence[float], collection: str, k: int) -> dict[str, float]:
        """Return the cosine similarity, -1 to 1, of the nearest vectors by key.

        Args:
            vector: what to look for, as long as the vectors that are there.
            collection: the document collection to look in.
            k: the most to return.
        """
        found = self._collection.query(
            query_embeddings=[vector], n_results=k, where={"collection": collection}, include=["distances"]
        )
        [keys], [distances] = found["ids"], found["distances"] or [[]]
        return {key: 1.0 - distance for key, distance in zip(keys, distances, strict=True)}

    def count(self) -> int:
        """Return how many vectors there are."""
        return self._collection.count()

    def reset(self) -> None:
        """Delete everything. What comes next may have another length."""
        self._client.delete_collection(_COLLECTION)
        self._collection = self._open()

    def close(self) -> None:
        """Let go of the folder."""
        with _opening:
            self._client.close()  # type: ignore[attr-defined]


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), BATCH):
        yield list(items[start : start + BATCH])
