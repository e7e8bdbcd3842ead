"""Embedders for measuring: vectors kept from run to run, cheap vectors, and cheap ones at MiniLM's price."""

from __future__ import annotations

import hashlib
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from agent.knowledge.minilm import MiniLM

DIMENSION = MiniLM.dimension

_BUCKETS = 8192
_WORD = re.compile(r"\w+")


class Kept(Embeddings):
    """Vectors that are computed once. Threads may share it.

    Args:
        embeddings: computes those that are new.
        vectors: those that are there, by digest of the text.
    """

    def __init__(self, embeddings: Embeddings, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        self.vectors = dict(vectors)
        self._embeddings = embeddings
        self._computing = threading.Lock()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text."""
        digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
        with self._computing:
            if digest not in self.vectors:
                self.vectors[digest] = np.array(self._embeddings.embed_query(text), np.float32)
            vector: list[float] = self.vectors[digest].tolist()
        return vector


@contextmanager
def kept(embeddings: Embeddings, file: Path) -> Iterator[Kept]:
    """Open embeddings whose vectors are in a file, and write those that are new into it in the end.

    Args:
        embeddings: computes those that are new.
        file: `.npz` file, which need not be there yet.
    """
    vectors: Mapping[str, NDArray[np.float32]] = {}
    if file.exists():
        with np.load(file) as arrays:
            vectors = dict(zip(arrays["digests"].tolist(), arrays["vectors"], strict=True))
    keeping = Kept(embeddings, vectors)
    try:
        yield keeping
    finally:
        if len(keeping.vectors) > len(vectors):
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, digests=list(keeping.vectors), vectors=np.stack(list(keeping.vectors.values())))


class HashedWords(Embeddings):
    """Vectors of length 1 from a text's words alone, in a fraction of a millisecond; texts that share words are near.

    So a measurement shows what a store costs, and not what a model does.
    """

    def __init__(self) -> None:
        self._directions = np.random.default_rng(0).standard_normal((_BUCKETS, DIMENSION), np.float32)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text."""
        words = _WORD.findall(text.lower()) or [""]
        total = self._directions[[zlib.crc32(word.encode(errors="replace")) % _BUCKETS for word in words]].sum(axis=0)
        vector: list[float] = (total / np.linalg.norm(total)).tolist()
        return vector


class Noting(Embeddings):
    """Vectors of other embeddings, with a note of what they were asked for. Threads may share it.

    Args:
        embeddings: computes them.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        self.batches: list[list[str]] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text."""
        self.batches.append(texts)
        return self.embeddings.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text."""
        return self.embeddings.embed_query(text)


class Looked(Embeddings):
    """Vectors of questions that are known beforehand, so that a question costs no embedding.

    Args:
        vectors: vectors by question.
        first: is called with each question before, such as a model whose time is to count.
    """

    def __init__(self, vectors: Mapping[str, list[float]], first: Callable[[str], object] = len) -> None:
        self._vectors = vectors
        self._first = first

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question."""
        self._first(text)
        return self._vectors[text]
