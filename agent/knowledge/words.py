"""Words: how chunks are indexed by them, and how well chunks fit those of a query."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How much a word counts in title, heading, text and parts of identifiers.
WEIGHTS = (1.0, 2.0, 1.0, 1.0)
MOST_WORDS = 64
# How many scores to keep, at 8 bytes each: all words of 100,000 chunks have about 6 million.
MOST_KEPT = 8_000_000
# Chunks that are looked at for common words. A word of 0.7 % of all chunks is in two of so many with 92 %.
SAMPLED = 600
# A filter that keeps no more chunks is read as their list, in 2 ms; under others the best chunks are tried one by one,
FEW = 4_000
# and first this many times the limit: 100,000 chunks pass for 1 ms, until a filter keeps less than one in twenty.
TRIED = 20

# `words` keeps no text of its own: the triggers tell it what comes and goes.
SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    title, heading, text, identifiers, content = 'chunks', content_rowid = 'id', tokenize = 'porter unicode61'
);
CREATE TRIGGER IF NOT EXISTS chunk_added AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, title, heading, text, identifiers)
    VALUES (new.id, new.title, new.heading, new.text, new.identifiers);
END;
CREATE TRIGGER IF NOT EXISTS chunk_removed AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, title, heading, text, identifiers)
    VALUES ('delete', old.id, old.title, old.heading, old.text, old.identifiers);
END;
"""

_WORD = re.compile(r"\w+")
_IDENTIFIER = re.compile(r"\b\w*(?:[a-z][A-Z]|[A-Z][A-Z][a-z]|\w_\w)\w*")
# Han, kana and Hangul: words of these are not told apart by spaces.
_UNSPACED = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]{2,}")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_STOP_WORDS = frozenset(
    """a about am an and any are as at be been but by can could did do does for from get had has have how i if in into
    is it its just me my no not of on or our please s should so t than that the their them then there these they this
    to up us was we were what when where which who why will with would you your""".split()  # noqa: SIM905
)


def has_words(text: str) -> bool:
    """Whether there is anything in a text to look up."""
    return bool(_WORD.search(text))


def identifier_parts(text: str) -> str:
    """Return the parts that words are found by: "get Order by Id" for getOrder_byId, "退货 货期" for 退货期."""
    of_identifiers = (part for word in _IDENTIFIER.findall(text) for part in _PART.findall(word))
    of_unspaced = (run[at : at + 2] for run in _UNSPACED.findall(text) for at in range(len(run) - 1))
    return " ".join([*of_identifiers, *of_unspaced])


def telling(query: str) -> list[str]:
    """Return the words to look up for a query: without the commonest of the language, unless there are no others."""
    words = [*_WORD.findall(query), *identifier_parts(query).split()]
    kept = [word for word in words if word.lower() not in _STOP_WORDS] or words
    return list(dict.fromkeys(kept))[:MOST_WORDS]


class WordScores:
    """BM25 of the chunks of one database. Threads may share it.

    A query's score is the sum of its words' scores, as in FTS5. FTS5 takes 1 µs for each chunk that holds a word, and
    so 20 to 90 ms for a question to 100,000 chunks. As the same words are asked for again and again, their scores are
    kept until the index changes, which makes it 1 to 4 ms.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bytes, str], NDArray[Any]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def ranked(
        self, db: sqlite3.Connection, query: str, limit: int, where: str = "", values: Sequence[str | float | None] = ()
    ) -> dict[int, float]:
        """Return the best chunks' scores by row number, the best first and those that score the same by row number.

        Args:
            db: connection to the database, which sees one state of it throughout.
            query: any text.
            limit: the most to return, at least 1.
            where: SQL condition on the columns of `documents`; "" for all documents.
            values: the condition's values.
        """
        import numpy as np

        version = _version(db)
        scores = [self._scores(db, version, word) for word in telling(query)]
        if not sum(map(len, scores)):
            return {}
        found = np.concatenate(scores)
        totals = np.bincount(found["chunk"], found["score"])
        best = _filtered(db, totals, limit, where, values) if where else _best(totals, limit)
        return {row: float(totals[row]) for row in best}

    def warm(self, db: sqlite3.Connection) -> None:
        """Score the words that many chunks hold, which cost most, before they are asked for.

        Args:
            db: connection to the database.
        """
        version = _version(db)
        sample = db.execute("SELECT text FROM chunks ORDER BY random() LIMIT ?", [SAMPLED])
        held = Counter(word for (text,) in sample for word in {word.lower() for word in _WORD.findall(text)})
        for word in (word for word, chunks in held.items() if chunks > 1 and word not in _STOP_WORDS):
            self._scores(db, version, word)

    def _scores(self, db: sqlite3.Connection, version: bytes, word: str) -> NDArray[Any]:
        """Return chunks that hold a word, with their scores."""
        import numpy as np

        key = version, word.lower()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rows = db.execute(
            "SELECT rowid, -bm25(words, ?, ?, ?, ?) FROM words WHERE words MATCH ?", [*WEIGHTS, f'"{word}"']
        )
        scores = np.fromiter(rows, [("chunk", np.int32), ("score", np.float32)])
        with self._lock:
            self._size += len(scores) - len(self._kept.get(key, ()))
            self._kept[key] = scores
            while self._size > MOST_KEPT:
                self._size -= len(self._kept.popitem(last=False)[1])
        return scores


def _version(db: sqlite3.Connection) -> bytes:
    """Return FTS5's own records of its totals and its segments, one of which counts all that was ever written."""
    rows = db.execute("SELECT block FROM words_data WHERE id IN (1, 10) ORDER BY id")
    return b"".join(block for (block,) in rows)


def _best(totals: NDArray[Any], limit: int) -> list[int]:
    """Return the rows that score most, the best first."""
    import numpy as np

    size = min(limit, len(totals))
    least = np.partition(totals, -size)[-size]
    rows = np.flatnonzero((totals >= least) & (totals > 0))
    best: list[int] = rows[np.argsort(-totals[rows], kind="stable")][:limit].tolist()
    return best


def _filtered(
    db: sqlite3.Connection, totals: NDArray[Any], limit: int, where: str, values: Sequence[str | float | None]
) -> list[int]:
    """Return the rows that score most of those that a filter keeps, the best first."""
    import numpy as np

    listed = db.execute(
        f"SELECT chunks.id FROM documents JOIN chunks ON document = documents.id WHERE {where} LIMIT ?",
        [*values, FEW + 1],
    ).fetchall()
    if len(listed) <= FEW:
        kept = np.zeros(len(totals), bool)
        kept[[row for (row,) in listed if row < len(totals)]] = True
        return _best(totals * kept, limit)
    rows: list[int] = []
    for most in (TRIED * limit, len(totals)):
        found = db.execute(
            # CROSS keeps the order of the list, so that SQLite may stop at the limit.
            f"""SELECT value FROM json_each(?) CROSS JOIN chunks ON chunks.id = value
            CROSS JOIN documents ON documents.id = document WHERE {where} LIMIT ?""",
            [json.dumps(_best(totals, most)), *values, limit],
        )
        rows = [row for (row,) in found]
        if len(rows) == limit:
            break
    return rows
