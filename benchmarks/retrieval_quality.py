"""How well documents are found: by words, by meaning, and by both put together in two ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from statistics import fmean

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from agent.knowledge.ranking import Hit
from benchmarks.judged_sets import JudgedSet, Question

CUT = 10
RRF_K = 60
# Chunks looked at for a question: all that meaning and words propose.
DEPTH = 200

Ranking = list[str]


@dataclass(frozen=True)
class Quality:
    """How well a way of ranking does on a set: means over its questions, 0 to 1.

    Args:
        ndcg: nDCG of the first 10 documents.
        recall: share of the relevant documents that are among the first 10.
        mrr: 1 by the rank of the first relevant document, 0 where it is not among the first 10.
    """

    ndcg: float
    recall: float
    mrr: float


@dataclass(frozen=True)
class Measured:
    """A judged set, measured.

    Args:
        name: its name.
        documents: how many documents it has.
        questions: how many questions.
        qualities: how well each way of ranking does.
    """

    name: str
    documents: int
    questions: int
    qualities: Mapping[str, Quality]


async def measure(judged: JudgedSet, embedder: Embedder, folder: Path) -> Measured:
    """Index a set and ask its questions.

    Args:
        judged: the set.
        embedder: makes the vectors.
        folder: an empty folder for the documents and the index.
    """
    documents = folder / "documents"
    documents.mkdir()
    for name, text in judged.documents.items():
        (documents / name).write_text(text, encoding="utf-8", errors="replace")
    rankings: dict[str, list[Ranking]] = {}
    base = await KnowledgeBase.open(folder / "base", embedder)
    try:
        await base.index(documents)
        for question in judged.questions:
            for way, ranking in rankings_of(await base.hits(question.text, k=DEPTH)).items():
                rankings.setdefault(way, []).append(ranking)
    finally:
        await base.close()
    qualities = {way: quality(judged.questions, found) for way, found in rankings.items()}
    return Measured(judged.name, len(judged.documents), len(judged.questions), qualities)


def rankings_of(hits: Sequence[Hit]) -> dict[str, Ranking]:
    """Return the documents of a search as each way of ranking orders them, the best first."""
    words = _ordered(hits, lambda hit: hit.bm25)
    meaning = _ordered(hits, lambda hit: hit.similarity)
    return {
        "BM25": words,
        "dense": meaning,
        f"RRF k={RRF_K}": fused([words, meaning]),
        "weighted": _ordered(hits, lambda hit: hit.passage.score),
    }


def fused(rankings: Iterable[Ranking]) -> Ranking:
    """Return documents by the sum of 1 / (60 + rank)."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, 1):
            scores[document] = scores.get(document, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda document: -scores[document])


def quality(questions: Sequence[Question], rankings: Sequence[Ranking]) -> Quality:
    """Return how well rankings answer questions.

    Args:
        questions: the questions.
        rankings: documents for each of them, the best first.
    """
    pairs = [(question.relevant, ranking[:CUT]) for question, ranking in zip(questions, rankings, strict=True)]
    return Quality(
        fmean(ndcg(relevant, found) for relevant, found in pairs),
        fmean(len(relevant.keys() & set(found)) / len(relevant) for relevant, found in pairs),
        fmean(
            max((1 / rank for rank, name in enumerate(found, 1) if name in relevant), default=0.0)
            for relevant, found in pairs
        ),
    )


def ndcg(relevant: Mapping[str, int], found: Ranking) -> float:
    """Return the nDCG of the first 10 documents, 0 to 1.

    Args:
        relevant: how relevant documents are, by name.
        found: names of documents, the best first.
    """
    best = sorted(relevant.values(), reverse=True)
    return _gain(relevant.get(name, 0) for name in found[:CUT]) / _gain(best[:CUT])


def _gain(relevances: Iterable[int]) -> float:
    return sum(relevance / log2(rank + 1) for rank, relevance in enumerate(relevances, 1))


def _ordered(hits: Iterable[Hit], score: Callable[[Hit], float | None]) -> Ranking:
    """Return the documents of those hits that have a score, by their best one."""
    scores: dict[str, float] = {}
    for hit in hits:
        if (value := score(hit)) is not None:
            scores[hit.passage.document] = max(value, scores.get(hit.passage.document, value))
    return sorted(scores, key=lambda document: -scores[document])
