"""Selfhelp's knowledge base and plain langchain-chroma, handed the same folder, embedder and questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.chunks import LIMIT, OVERLAP
from agent.knowledge.embedders import Embedder
from benchmarks.retrieval_embedders import DIMENSION

if TYPE_CHECKING:
    from langchain_chroma import Chroma

K = 10

_BATCH = 500

Ask = Callable[[str], Awaitable[object]]


class Contender(Protocol):
    """A store of passages in a directory."""

    name: str

    async def ingest(self, documents: Path, directory: Path, embeddings: Embeddings) -> int:
        """Index a folder of text files and return how many passages that makes.

        Args:
            documents: the folder.
            directory: where the index is kept; it is not there yet.
            embeddings: makes the vectors.
        """
        ...

    def opened(self, directory: Path, embeddings: Embeddings) -> AbstractAsyncContextManager[Ask]:
        """Open an index. What is entered finds 10 passages for a question.

        Args:
            directory: where it is kept.
            embeddings: makes the questions' vectors.
        """
        ...


class Selfhelp:
    """The knowledge base: by meaning and by words."""

    name = "selfhelp"

    async def ingest(self, documents: Path, directory: Path, embeddings: Embeddings) -> int:
        """Index a folder."""
        base = await KnowledgeBase.open(directory, _embedder(embeddings))
        try:
            await base.index(documents)
            return sum(source.chunks for source in await base.sources())
        finally:
            await base.close()

    @asynccontextmanager
    async def opened(self, directory: Path, embeddings: Embeddings) -> AsyncIterator[Ask]:
        """Open an index."""
        base = await KnowledgeBase.open(directory, _embedder(embeddings))
        try:
            await base.warm()
            yield lambda question: base.search(question, k=K)
        finally:
            await base.close()


class LangChainChroma:
    """langchain-chroma, as its documentation uses it: by meaning only."""

    name = "langchain-chroma"

    async def ingest(self, documents: Path, directory: Path, embeddings: Embeddings) -> int:
        """Index a folder."""
        return await asyncio.to_thread(_add, _chroma(directory, embeddings), documents)

    @asynccontextmanager
    async def opened(self, directory: Path, embeddings: Embeddings) -> AsyncIterator[Ask]:
        """Open an index."""
        store = _chroma(directory, embeddings)

        async def ask(question: str) -> object:
            return store.similarity_search(question, k=K)

        yield ask


CONTENDERS: dict[str, Contender] = {each.name: each for each in (Selfhelp(), LangChainChroma())}


def _embedder(embeddings: Embeddings) -> Embedder:
    return Embedder("measuring", DIMENSION, embeddings)


def _chroma(directory: Path, embeddings: Embeddings) -> Chroma:
    from langchain_chroma import Chroma

    return Chroma(
        "measuring",
        embeddings,
        persist_directory=str(directory),
        collection_configuration={"hnsw": {"space": "cosine"}},
    )


def _add(store: Chroma, documents: Path) -> int:
    passages, number = chain.from_iterable(map(_passages, sorted(documents.iterdir()))), 0
    while batch := list(islice(passages, _BATCH)):
        store.add_documents(batch)
        number += len(batch)
    return number


def _passages(file: Path) -> Iterator[Document]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=LIMIT, chunk_overlap=OVERLAP)
    document = Document(file.read_text(encoding="utf-8"), metadata={"source": str(file)})
    yield from splitter.split_documents([document])
