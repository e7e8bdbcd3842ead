"""Knowledge bases for tests: folders of documents, cheap embedders, and the check that all parts say the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from langchain_core.embeddings import Embeddings

from agent.errors import SelfhelpError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from agent.state import Passage


class Hashing(Embeddings):
    """Embeds a text as the hashed counts of its words, and keeps what it was asked for."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.embedded: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.embedded += texts
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * self.length
        for word in text.lower().split():
            vector[hashlib.sha256(word.encode()).digest()[0] % self.length] += 1.0
        return vector


class Synonyms(Embeddings):
    """Knows that poles are rods."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [1.0, 0.0] if "poles" in text or "rods" in text else [0.0, 1.0]


class Away(Embeddings):
    """Cannot be reached."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise SelfhelpError("the embedder is away")

    def embed_query(self, text: str) -> list[float]:
        raise SelfhelpError("the embedder is away")


def hashing(length: int = 64, name: str = "hashing", *, dimension: int | None = None) -> Embedder:
    return Embedder(name, dimension, Hashing(length))


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def names(passages: list[Passage]) -> list[str]:
    return [passage.document for passage in passages]


def assert_consistent(base: KnowledgeBase) -> None:
    """Assert that Chroma, the words and the chunks say the same, and that nothing is left to be deleted."""
    parts = base._parts
    with parts.database.reading() as db:
        keys = {key for (key,) in db.execute("SELECT key FROM chunks")}
        with_vector = {key for (key,) in db.execute("SELECT key FROM chunks JOIN vectors ON chunk = chunks.id")}
    assert parts.index is not None
    assert set(parts.index._collection.get(include=[])["ids"]) == keys == with_vector
    assert parts.store.doubted(1) == []
    with parts.database.writing() as db:
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
