"""Ranking: how well a passage fits a query by meaning and by words, and which of the ranked are worth showing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.state import Passage

# How much of the score is meaning: measured on four public sets.
DENSE_WEIGHT = 0.3
# Passages of which this share of word triples is the same are near-duplicates.
ALIKE = 0.9

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Hit:
    """A passage that a search found, and why.

    Args:
        passage: the passage, with its score.
        similarity: cosine of query and passage, -1 to 1; None where it was not found by meaning.
        bm25: BM25 of query and passage, the higher the better; None where it was not found by words.
        by_meaning: what meaning adds to the score.
        by_words: what words add to it.
    """

    passage: Passage
    similarity: float | None
    bm25: float | None
    by_meaning: float
    by_words: float


def ranked(
    passages: Mapping[str, Passage], dense: Mapping[str, float], words: Mapping[str, float], weight: float
) -> Iterator[Hit]:
    """Yield passages by score, the best first: the weighted sum of their shares by meaning and by words, 0 to 1.

    Args:
        passages: passages by key; of those that score the same, the first stays first.
        dense: cosine similarities by key. The least counts 0 and the greatest 1.
        words: BM25 by key, positive. It counts in proportion to the greatest.
        weight: how much meaning counts where there are both, 0 to 1.
    """
    dense = {key: similarity for key, similarity in dense.items() if key in passages}
    if not dense or not words:
        weight = 1.0 if dense else 0.0
    low, high = min(dense.values(), default=0.0), max(dense.values(), default=0.0)
    top = max(words.values(), default=1.0)

    def parts(key: str) -> tuple[float, float]:
        share = (dense[key] - low) / (high - low) if key in dense and high > low else float(key in dense)
        return weight * share, (1 - weight) * words.get(key, 0.0) / top

    for key in sorted(passages, key=lambda key: -sum(parts(key))):
        by_meaning, by_words = parts(key)
        scored = passages[key].model_copy(update={"score": by_meaning + by_words})
        yield Hit(scored, dense.get(key), words.get(key), by_meaning, by_words)


def distinct(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Yield hits without those that say nearly the same as a better one."""
    kept: list[frozenset[tuple[str, ...]]] = []
    for hit in hits:
        shingles = _shingles(hit.passage.text)
        if not any(len(shingles & other) >= ALIKE * len(shingles | other) for other in kept):
            kept.append(shingles)
            yield hit


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset([tuple(words)])
