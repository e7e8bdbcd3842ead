"""Indexes of vectors: what each can do, whichever database is behind it. They can be made again from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agent.errors import SelfhelpError
from agent.knowledge.filters import Filter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]


class IndexUnreachable(SelfhelpError):
    """A vector database that cannot be used: its server does not answer, or its package is missing."""


@dataclass(frozen=True)
class Entry:
    """A passage's vector, with what a search can filter by.

    Args:
        key: key of the passage, 32 hexadecimal digits.
        vector: array of shape (dimension,).
        collection: name of its collection.
        source: key of its source.
        kind: format of its document.
        owner: whose it is, None for everybody's.
        modified: when its document was last changed, in seconds since 1970, where that is known.
    """

    key: str
    vector: Vector
    collection: str
    source: str
    kind: str
    owner: str | None
    modified: float | None


class VectorIndex(Protocol):
    """Vectors by key, compared by cosine. Threads may share it; every method blocks."""

    def upsert(self, entries: Sequence[Entry]) -> None:
        """Add vectors, or replace those of the same keys. All are of one length, and no key comes twice."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete the vectors of these keys; those that are not there do not matter."""

    def search(self, vector: Vector, k: int, where: Filter | None) -> dict[str, float]:
        """Return the cosine similarity, -1 to 1, of the nearest vectors by key.

        Args:
            vector: what to look for, as long as the vectors that are there.
            k: the most to return.
            where: which vectors may be found; None for all there are.
        """
        ...

    def count(self) -> int:
        """Return how many vectors there are."""
        ...

    def reset(self) -> None:
        """Delete everything. What comes next may have another length."""

    def close(self) -> None:
        """Let go of files and connections."""
