"""The knowledge base's truth, in one SQLite file: documents, their chunks and the words in them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from agent.knowledge.chunks import Chunk
from agent.state import Passage

# How much a word counts in title, heading, text and parts of identifiers.
WEIGHTS = (1.0, 2.0, 1.0, 1.0)
MOST_WORDS = 64
PATIENCE = 30.0

# `words` keeps no text of its own: the triggers tell it what comes and goes.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, collection TEXT NOT NULL, name TEXT NOT NULL, uri TEXT NOT NULL, hash TEXT NOT NULL,
    title TEXT NOT NULL, UNIQUE (collection, name)
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    title TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, identifiers TEXT NOT NULL,
    start_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL, first_line INTEGER NOT NULL, last_line INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_by_document ON chunks (document);
CREATE TABLE IF NOT EXISTS garbage (key TEXT PRIMARY KEY);
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
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_STOP_WORDS = frozenset(
    """a about am an and any are as at be been but by can could did do does for from get had has have how i if in into
    is it its just me my no not of on or our please s should so t than that the their them then there these they this
    to up us was we were what when where which who why will with would you your""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Document:
    """A document of a collection.

    Args:
        collection: name of its collection.
        name: its name there.
        uri: path or address at which it can be opened.
        hash: changes with anything that the index keeps of it.
        title: its title.
    """

    collection: str
    name: str
    uri: str
    hash: str
    title: str


@dataclass(frozen=True)
class Matches:
    """What a search found.

    Args:
        passages: passages by chunk key, ordered by document and place in it.
        words: BM25 by chunk key, the higher the better, for those that hold a word of the query.
    """

    passages: dict[str, Passage]
    words: dict[str, float]


class Store:
    """Documents, chunks and words. Threads may read at any time, but only one may write; every method blocks.

    Args:
        path: the SQLite file; it is made if need be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = self._connect()
        try:
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.executescript(_SCHEMA)
        except sqlite3.Error:
            self._writer.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def embedder(self) -> tuple[str, int | None] | None:
        """Return the name of the embedder that made the vectors and their length, None while they are incomplete."""
        with self._reading() as db:
            meta = dict(db.execute("SELECT name, value FROM meta"))
        return (meta["embedder"], meta["dimension"]) if "embedder" in meta else None

    def set_embedder(self, name: str, dimension: int | None) -> None:
        """Say that the vectors are complete and by which embedder they are.

        Args:
            name: name of the embedder.
            dimension: length of its vectors, None while no vector was made.
        """
        with self._writing() as db:
            db.executemany("REPLACE INTO meta VALUES (?, ?)", [("embedder", name), ("dimension", dimension)])

    def unset_embedder(self) -> None:
        """Say that the vectors are incomplete."""
        with self._writing() as db:
            db.execute("DELETE FROM meta WHERE name IN ('embedder', 'dimension')")

    def count(self) -> int:
        """Return how many chunks there are in all collections."""
        with self._reading() as db:
            return int(db.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def hashes(self, collection: str) -> dict[str, str]:
        """Return the hashes of a collection's documents by name."""
        with self._reading() as db:
            return dict(db.execute("SELECT name, hash FROM documents WHERE collection = ?", [collection]))

    def known(self, keys: Iterable[str]) -> set[str]:
        """Return those of the keys that are a chunk's."""
        with self._reading() as db:
            listed = json.dumps(list(keys))
            found = db.execute("SELECT key FROM chunks WHERE key IN (SELECT value FROM json_each(?))", [listed])
            return {key for (key,) in found}

    def chunks(self, after: int, limit: int) -> list[tuple[int, str, str, Chunk]]:
        """Return row number, key, collection and chunk, of all collections in the order of row numbers.

        Args:
            after: the row number to go on behind.
            limit: the most to return.
        """
        with self._reading() as db:
            rows = db.execute(
                """SELECT chunks.id, key, collection, chunks.title, heading, text, start_offset, end_offset, first_line,
                last_line FROM chunks JOIN documents ON documents.id = document WHERE chunks.id > ?
                ORDER BY chunks.id LIMIT ?""",
                [after, limit],
            )
            return [(row, key, collection, Chunk(*rest)) for row, key, collection, *rest in rows]

    def intend(self, keys: Iterable[str]) -> None:
        """Record keys as garbage, before their vectors are stored: they stay it unless `replace` follows."""
        with self._writing() as db:
            db.executemany("INSERT OR IGNORE INTO garbage VALUES (?)", [(key,) for key in keys])

    def replace(self, document: Document, chunks: Mapping[str, Chunk]) -> None:
        """Put a document in the place of its older version. Chunks that only the older one has become garbage.

        Args:
            document: the document.
            chunks: its chunks by key.
        """
        with self._writing() as db:
            _discard(db, document.collection, document.name)
            row = db.execute(
                "INSERT INTO documents (collection, name, uri, hash, title) VALUES (?, ?, ?, ?, ?)", astuple(document)
            ).lastrowid
            db.executemany(
                """INSERT INTO chunks (key, document, identifiers, title, heading, text, start_offset, end_offset,
                first_line, last_line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                ((key, row, _identifier_parts(chunk.text), *astuple(chunk)) for key, chunk in chunks.items()),
            )
            db.executemany("DELETE FROM garbage WHERE key = ?", [(key,) for key in chunks])

    def remove(self, collection: str, names: Iterable[str]) -> None:
        """Remove documents of a collection; their chunks become garbage."""
        with self._writing() as db:
            for name in names:
                _discard(db, collection, name)

    def garbage(self) -> list[str]:
        """Return the keys whose vectors are to be deleted."""
        with self._reading() as db:
            return [key for (key,) in db.execute("SELECT key FROM garbage")]

    def forget(self, keys: Iterable[str]) -> None:
        """Drop keys from the garbage, as their vectors are deleted."""
        with self._writing() as db:
            db.executemany("DELETE FROM garbage WHERE key = ?", [(key,) for key in keys])

    def find(self, query: str, keys: Iterable[str], collection: str, limit: int) -> Matches:
        """Look a query's words up in a collection.

        Args:
            query: any text.
            keys: chunks whose passages are wanted too; those that the collection has not got do not matter.
            collection: name of the collection.
            limit: the most passages to find by their words.
        """
        with self._reading() as db:
            words = dict(
                db.execute(
                    """SELECT key, -bm25(words, ?, ?, ?, ?) FROM words
                    JOIN chunks ON chunks.id = words.rowid JOIN documents ON documents.id = document
                    WHERE words MATCH ? AND collection = ? ORDER BY 2 DESC, chunks.id LIMIT ?""",
                    [*WEIGHTS, _expression(query), collection, limit],
                )
            )
            rows = db.execute(
                # CROSS keeps SQLite from reading all chunks in the order of names.
                """SELECT chunks.key, name, chunks.title, heading, uri, text FROM json_each(?) AS wanted
                CROSS JOIN chunks ON chunks.key = wanted.value CROSS JOIN documents ON documents.id = document
                WHERE collection = ? ORDER BY name, start_offset, end_offset""",
                [json.dumps([*keys, *words]), collection],
            )
            passages = {
                key: Passage(document=name, title=title, heading=heading, uri=uri, text=text)
                for key, name, title, heading, uri, text in rows
            }
        return Matches(passages, words)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=PATIENCE, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection of its own to one reader, who sees one state of the file throughout."""
        with closing(self._connect()) as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._writer.execute("BEGIN IMMEDIATE")
        with self._writer:
            yield self._writer


def has_words(text: str) -> bool:
    """Whether there is anything in a text to look up."""
    return bool(_WORD.search(text))


def _discard(db: sqlite3.Connection, collection: str, name: str) -> None:
    db.execute(
        """INSERT OR IGNORE INTO garbage SELECT key FROM chunks JOIN documents ON documents.id = document
        WHERE collection = ? AND name = ?""",
        [collection, name],
    )
    db.execute("DELETE FROM documents WHERE collection = ? AND name = ?", [collection, name])


def _identifier_parts(text: str) -> str:
    """Return the words that the identifiers in a text are made of: "get Order by Id" for getOrder_byId."""
    return " ".join(part for word in _IDENTIFIER.findall(text) for part in _PART.findall(word))


def _expression(query: str) -> str:
    """Return the FTS5 query for passages with any of a text's words, of which the commonest are left out."""
    words = [*_WORD.findall(query), *_identifier_parts(query).split()]
    telling = [word for word in words if word.lower() not in _STOP_WORDS] or words
    return " OR ".join(f'"{word}"' for word in list(dict.fromkeys(telling))[:MOST_WORDS])
