"""Which tools of a large catalogue a question asks for: by meaning, by words, and by what they are for."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from agent.errors import ModelUnavailable
from agent.knowledge.words import telling
from agent.plain import legible
from agent.toolset import BoundTool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

LONGEST_QUESTION = 2000
# How much a word counts in name, path, tags, description, parameters and result.
COLUMNS = (1.0, 1.0, 1.0, 1.0, 0.5, 0.2)

_FEWEST_WORDS = 3
_MOST_CLAUSES = 8
_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")
# What names one thing rather than a kind of things: addresses, paths such as acme/shop, ids such as cus_17, numbers.
_PROPER = re.compile(r"https?://\S+|\S+@\S+|\b[\w.-]+/[\w./-]+|\b[a-z]{2,4}_\w*\d\w*\b|\b\d[\d.,]*\b")
_CLAUSE = re.compile(r"\n+|[.;:!]\s+|(?<=\?)\s+|,?\s+(?:and then|and|then|but|if|so that|because|whenever)\s+|,\s+")
_POLITE = re.compile(r"(?:please|(?:can|could|would) you)\s+", re.IGNORECASE)
_ASKS = re.compile(
    r"(?:wh(?:ich|o|om|ose|at|en|ere|y)|how|is|are|was|were|do|does|did|has|have|show|list|find|tell me|look)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Weights:
    """What a tool's score is made of, chosen on one half of the questions of benchmarks/catalogue.py.

    Args:
        meaning: similarity of vectors.
        words: BM25.
        purpose: whether it reads when something is asked, and writes when something is to be done.
        plainness: a short path rather than a long one.
    """

    meaning: float = 0.7
    words: float = 0.3
    purpose: float = 0.15
    plainness: float = 0.3


CHOSEN = Weights()


class ToolSearch:
    """Ranks tools by how well they fit a question. Threads may share it; making one and asking it block.

    Args:
        tools: the tools.
        weights: what counts how much. Where there is no embedder, words count for meaning too.
    """

    def __init__(self, tools: Sequence[BoundTool], weights: Weights = CHOSEN) -> None:
        import numpy as np

        self._tools = tools
        self._reads = np.array([tool.effect == "read" for tool in tools])
        self._plainness = _share(-np.array([len(_words(tool.path or tool.name).split()) for tool in tools], np.float32))
        self._words = _word_index(tools)
        self._lock = Lock()
        self._vectors = _vectors(tools) if weights.meaning else None
        if self._vectors is None:
            weights = replace(weights, meaning=0.0, words=weights.meaning + weights.words)
        self._weights = weights

    def ranked(self, question: str) -> list[str]:
        """Return the names of all tools, the one that fits best first.

        Args:
            question: any text. What it asks for in several clauses is looked for clause by clause.
        """
        import numpy as np

        scores = np.max([self._scores(clause) for clause in clauses(question)], axis=0)
        return [self._tools[row].name for row in np.argsort(-scores, kind="stable")]

    def _scores(self, clause: str) -> NDArray[np.float32]:
        telling_part = _PROPER.sub(" ", clause)
        weights = self._weights
        fits = weights.purpose * (self._reads == asks(clause)) + weights.plainness * self._plainness
        scores: NDArray[np.float32] = (
            fits + weights.meaning * self._by_meaning(telling_part) + weights.words * self._by_words(telling_part)
        )
        return scores

    def _by_meaning(self, text: str) -> NDArray[np.float32]:
        import numpy as np

        if self._vectors is None or not text.strip():
            return np.zeros(len(self._tools), np.float32)
        from agent.knowledge.minilm import shared_minilm

        return _share(self._vectors @ np.asarray(shared_minilm().embed_query(text), np.float32))

    def _by_words(self, text: str) -> NDArray[np.float32]:
        import numpy as np

        scores = np.zeros(len(self._tools), np.float32)
        if words := telling(text):
            wanted = " OR ".join(f'"{word}"' for word in words)
            with self._lock:
                rows = self._words.execute(_MATCH, [*COLUMNS, wanted]).fetchall()
            for row, score in rows:
                scores[row] = score
        return scores / (scores.max() or 1)


def clauses(question: str) -> list[str]:
    """Return a question and those of its clauses that say enough by themselves."""
    question = legible(question[:LONGEST_QUESTION])
    parts = [part.strip(" .!,") for part in _CLAUSE.split(question)]
    whole = [part for part in parts if len(part.split()) >= _FEWEST_WORDS and len(telling(part)) > 1]
    return list(dict.fromkeys([question, *whole]))[:_MOST_CLAUSES]


def asks(clause: str) -> bool:
    """Whether a clause wants to know something, rather than something to be done."""
    polite = _POLITE.match(clause.strip())
    said = clause.strip()[polite.end() :] if polite else clause.strip()
    return bool(_ASKS.match(said)) or (said.endswith("?") and not polite)


_MATCH = "SELECT rowid, -bm25(tools, ?, ?, ?, ?, ?, ?) FROM tools WHERE tools MATCH ?"


def _word_index(tools: Sequence[BoundTool]) -> sqlite3.Connection:
    # Calls take turns under a lock.
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.execute(
        "CREATE VIRTUAL TABLE tools USING fts5 (name, path, tags, description, parameters, result, "
        "tokenize = 'porter unicode61')"
    )
    db.executemany(
        "INSERT INTO tools (rowid, name, path, tags, description, parameters, result) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((row, *_texts(tool)) for row, tool in enumerate(tools)),
    )
    return db


def _texts(tool: BoundTool) -> tuple[str, str, str, str, str, str]:
    description, _, result = tool.tool.description.partition("Returns ")
    parameters = " ".join(tool.parameters.get("properties", {}))
    tags = " ".join(tool.tags)
    return _words(tool.name), _words(tool.path), _words(tags), legible(description), _words(parameters), _words(result)


def _words(identifier: str) -> str:
    """Return the words of an identifier or a path: "get Order by Id" for getOrder_byId."""
    return " ".join(_BREAK.split(legible(identifier))).strip()


def _vectors(tools: Sequence[BoundTool]) -> NDArray[np.float32] | None:
    """Return a vector of what each tool does, of shape (tools, dimension); None where there is no embedder."""
    from agent.knowledge.minilm import shared_minilm
    from agent.vector_cache import remembered

    try:
        embeddings = shared_minilm()
    except ModelUnavailable as error:
        logger.info("tools are found by their words only, not by meaning: %s", error)
        return None
    summaries = [legible(tool.summary) for tool in tools]
    named = [f"{_words(tool.name)}. {summary}" for tool, summary in zip(tools, summaries, strict=True)]
    vectors = remembered(embeddings, embeddings.name, [*summaries, *named])
    return vectors[: len(tools)] + vectors[len(tools) :]


def _share(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores such that the least is 0 and the greatest 1."""
    import numpy as np

    spread = float(np.ptp(scores))
    shares: NDArray[np.float32] = (scores - scores.min()) / (spread or 1)
    return shares
