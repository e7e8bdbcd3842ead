"""What documents cost: indexing them beside embedding them alone, and a search as the index grows."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from agent.knowledge.minilm import MiniLM
from benchmarks import retrieval_corpus
from benchmarks.reports import Check, Part, Sheet
from benchmarks.retrieval_embedders import Noting
from benchmarks.retrieval_speed import MOST_P95, QUESTIONS, WARM_UP, Ingest, Queries, ask, in_process, ingest

EMBEDDED = 1_000
SIZES = (1_000, 10_000, 100_000)
LEAST_SPEED = 0.85


@dataclass(frozen=True)
class Indexed:
    """What indexing took beside embedding the same texts in the same batches and as many threads.

    Args:
        documents: how many there were.
        chunks: how many passages that made.
        seconds: to index them.
        embedding: seconds to embed them alone.
    """

    documents: int
    chunks: int
    seconds: float
    embedding: float

    @property
    def speed(self) -> float:
        """Documents in a second, to those of the embedder alone."""
        return self.embedding / self.seconds


def part() -> Part:
    """Index with MiniLM, and search an index that grows to 100,000 passages."""
    with TemporaryDirectory() as folder:
        documents = Path(folder) / "documents"
        retrieval_corpus.write(documents, EMBEDDED)
        indexed = in_process(index, documents, Path(folder) / "minilm")
        grown = [_grown(documents, Path(folder) / "hashed", size) for size in SIZES]
    p95 = grown[-1][1].p95
    checks = [
        Check(
            f"documents are indexed at {LEAST_SPEED} or more of the embedder's own speed",
            f"{indexed.speed:.2f}",
            held=indexed.speed >= LEAST_SPEED,
        ),
        Check(
            f"a search among {SIZES[-1]:,} passages: p95 below {1000 * MOST_P95:.0f} ms, without the embedding",
            f"{1000 * p95:.1f} ms",
            held=p95 < MOST_P95,
        ),
    ]
    searches = [{"ingest": asdict(one), "queries": asdict(other)} for one, other in grown]
    return Part([_speed(indexed), _searches(grown)], checks, {"indexed": asdict(indexed), "searches": searches})


def index(documents: Path, directory: Path) -> Indexed:
    """Index a folder of text files with MiniLM, then embed what was embedded again.

    Args:
        documents: the folder.
        directory: where the index is kept; it is not there yet.
    """
    noting = Noting(MiniLM())
    seconds = asyncio.run(_index(documents, directory, noting))
    begin = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        chunks = sum(map(len, threads.map(noting.embeddings.embed_documents, noting.batches)))
    return Indexed(len(list(documents.iterdir())), chunks, seconds, time.perf_counter() - begin)


async def _index(documents: Path, directory: Path, noting: Noting) -> float:
    base = await KnowledgeBase.open(directory, Embedder(MiniLM.name, MiniLM.dimension, noting, in_process=True))
    try:
        begin = time.perf_counter()
        await base.index(documents)
        return time.perf_counter() - begin
    finally:
        await base.close()


def _grown(documents: Path, directory: Path, size: int) -> tuple[Ingest, Queries]:
    """Let an index grow to about so many passages, and search it."""
    retrieval_corpus.write(documents, size)
    grown = in_process(ingest, "selfhelp", documents, directory)
    questions = retrieval_corpus.sentences(documents, WARM_UP + QUESTIONS)
    return grown, in_process(ask, "selfhelp", directory, questions)


def _speed(indexed: Indexed) -> Sheet:
    seconds = {"embedding alone": indexed.embedding, "indexing": indexed.seconds}
    rows = [
        (name, f"{indexed.documents / each:.2f}", f"{indexed.chunks / each:.0f}", f"{indexed.embedding / each:.2f}")
        for name, each in seconds.items()
    ]
    title = f"Indexing {indexed.documents} files of 20 KB with MiniLM"
    return Sheet(title, ("", "documents a second", "passages a second", "to embedding alone"), rows)


def _searches(grown: Sequence[tuple[Ingest, Queries]]) -> Sheet:
    rows = [
        (
            f"{ingested.chunks:,}",
            f"{ingested.seconds:.0f}",
            *(f"{1000 * seconds:.1f}" for seconds in (queries.p50, queries.p95)),
            f"{queries.memory / 1e6:.0f}",
        )
        for ingested, queries in grown
    ]
    headings = ("passages", "seconds to grow to it", "p50 ms", "p95 ms", "MB")
    return Sheet("A search for 10 passages, without embedding the question", headings, rows)
