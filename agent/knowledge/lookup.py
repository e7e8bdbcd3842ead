"""Looking passages up in the store: by their words, by their keys and by their place."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.knowledge.database import Database
from agent.knowledge.filters import Filter, condition_of
from agent.knowledge.words import WordScores
from agent.state import Passage

_FIELDS = ("id", "document", "title", "heading", "uri", "text", "first_line", "last_line", "page")
_COLUMNS = "chunks.key, name, chunks.title, heading, uri, text, first_line, last_line, page"


@dataclass(frozen=True)
class Matches:
    """What a search found.

    Args:
        passages: passages by chunk key, ordered by document and place in it.
        words: BM25 by chunk key, the higher the better, for those that hold a word of the query.
    """

    passages: dict[str, Passage]
    words: dict[str, float]


@dataclass(frozen=True)
class Placed:
    """A passage and its place in the document: it is document[start:end]."""

    start: int
    end: int
    passage: Passage


class Lookup:
    """Finds passages. Threads may share it; every method blocks.

    Args:
        database: the knowledge base's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = WordScores()

    def find(self, db: sqlite3.Connection, query: str, keys: Iterable[str], where: Filter, limit: int) -> Matches:
        """Look a query's words up.

        Args:
            db: connection to the database, which sees one state of it throughout.
            query: any text.
            keys: chunks whose passages are wanted too; those that the filter leaves out do not matter.
            where: which passages may be found.
            limit: the most passages to find by their words.
        """
        condition, values = condition_of(where)
        counts = self._database.counts(db, where)
        needed = (condition, values) if counts.kept < counts.every else ("", [])
        ranked = self._words.ranked(db, query, limit, *needed)
        found = db.execute(
            # CROSS keeps SQLite from reading all chunks in the order of names.
            f"""WITH wanted AS (
                SELECT value AS key FROM json_each(?) UNION SELECT key FROM chunks WHERE id IN
                (SELECT value FROM json_each(?))
            ) SELECT chunks.id, {_COLUMNS} FROM wanted CROSS JOIN chunks ON chunks.key = wanted.key
            CROSS JOIN documents ON documents.id = document WHERE {condition}
            ORDER BY name, start_offset, end_offset""",
            [json.dumps(list(keys)), json.dumps(list(ranked)), *values],
        ).fetchall()
        passages = {row[1]: _passage(row[1:]) for row in found}
        return Matches(passages, {row[1]: ranked[row[0]] for row in found if row[0] in ranked})

    def warm(self) -> None:
        """Prepare for words that many chunks hold."""
        with self._database.reading() as db:
            self._words.warm(db)

    def around(self, db: sqlite3.Connection, key: str, distance: int) -> list[Placed]:
        """Return a chunk and its neighbours in the document's order; none if it is no more.

        Args:
            db: connection to the database, which sees one state of it throughout.
            key: key of the chunk.
            distance: how many neighbours before it, and how many behind it.
        """
        rows = db.execute(
            f"""WITH placed AS (
                SELECT id, key, row_number() OVER (ORDER BY start_offset, end_offset) AS place FROM chunks
                WHERE document = (SELECT document FROM chunks WHERE key = :key)
            ), hit AS (SELECT place FROM placed WHERE key = :key)
            SELECT start_offset, end_offset, {_COLUMNS} FROM hit JOIN placed ON
            abs(placed.place - hit.place) <= :distance JOIN chunks ON chunks.id = placed.id
            JOIN documents ON documents.id = document ORDER BY placed.place""",
            {"key": key, "distance": distance},
        )
        return [Placed(start, end, _passage(row)) for start, end, *row in rows]


def _passage(row: Sequence[Any]) -> Passage:
    return Passage(**dict(zip(_FIELDS, row, strict=True)))
