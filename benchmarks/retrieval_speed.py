"""What storing and finding passages costs, each contender and each stage in a process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles
from typing import ParamSpec, TypeVar

from langchain_core.embeddings import Embeddings

from agent.knowledge.minilm import MiniLM
from benchmarks.retrieval_contenders import CONTENDERS
from benchmarks.retrieval_corpus import sentences
from benchmarks.retrieval_embedders import HashedWords, Looked

QUESTIONS, WARM_UP = 300, 20
# At 100,000 passages, in seconds.
MOST_P95 = 0.020

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Ingest:
    """What indexing a folder took.

    Args:
        chunks: passages that are there then.
        seconds: how long it took, with the import of what it needs.
        memory: the most memory the process held, in bytes.
    """

    chunks: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class Queries:
    """What finding 10 passages took.

    Args:
        p50: median, in seconds.
        p95: what 95 of 100 questions stay below, in seconds.
        memory: the most memory the process held, in bytes.
    """

    p50: float
    p95: float
    memory: int


@dataclass(frozen=True)
class Measured:
    """A contender at a size.

    Args:
        contender: its name.
        ingest: what indexing took.
        queries: what a question took whose vector was there.
        embedded: what it took with MiniLM's time to embed it.
    """

    contender: str
    ingest: Ingest
    queries: Queries
    embedded: Queries


def measure(documents: Path, folder: Path) -> list[Measured]:
    """Measure every contender on a folder of text files.

    Args:
        documents: the files.
        folder: where the indexes are put.
    """
    questions = sentences(documents, WARM_UP + QUESTIONS)
    return [
        Measured(
            name,
            in_process(ingest, name, documents, folder / name),
            in_process(ask, name, folder / name, questions),
            in_process(ask_embedded, name, folder / name, questions),
        )
        for name in CONTENDERS
    ]


def in_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a new process and return what it returns."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(function, *args, **kwargs).result()


def ingest(name: str, documents: Path, directory: Path) -> Ingest:
    """Index a folder of text files.

    Args:
        name: the contender's name.
        documents: the folder.
        directory: where the index is kept. What is in it already is not indexed again, where the contender knows how.
    """
    begin = time.perf_counter()
    chunks = asyncio.run(CONTENDERS[name].ingest(documents, directory, HashedWords()))
    return Ingest(chunks, time.perf_counter() - begin, most_memory())


def ask(name: str, directory: Path, questions: Sequence[str]) -> Queries:
    """Ask questions whose vectors are there.

    Args:
        name: the contender's name.
        directory: where its index is kept.
        questions: the questions, of which the first ones are to warm up.
    """
    return asyncio.run(_asked(name, directory, questions, Looked(_vectors(questions))))


def ask_embedded(name: str, directory: Path, questions: Sequence[str]) -> Queries:
    """Ask questions that MiniLM embeds first.

    Args:
        name: the contender's name.
        directory: where its index is kept.
        questions: the questions, of which the first ones are to warm up.
    """
    return asyncio.run(_asked(name, directory, questions, Looked(_vectors(questions), MiniLM().embed_query)))


def most_memory() -> int:
    """Return the most memory that this process ever held, in bytes."""
    # The resource module's figure is the parent's where that was larger.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [kilobytes] = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


async def _asked(name: str, directory: Path, questions: Sequence[str], embeddings: Embeddings) -> Queries:
    seconds = []
    async with CONTENDERS[name].opened(directory, embeddings) as find:
        for question in questions:
            begin = time.perf_counter()
            await find(question)
            seconds.append(time.perf_counter() - begin)
    shares = quantiles(seconds[WARM_UP:], n=100)
    return Queries(shares[49], shares[94], most_memory())


def _vectors(questions: Sequence[str]) -> dict[str, list[float]]:
    return dict(zip(questions, HashedWords().embed_documents(list(questions)), strict=True))
