"""The knowledge base's SQLite file: its tables, and how it is read and written."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from agent.errors import SelfhelpError
from agent.knowledge import words
from agent.knowledge.filters import Filter, condition_of

PATIENCE = 30.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, collection TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, uri TEXT NOT NULL,
    hash TEXT NOT NULL, title TEXT NOT NULL, kind TEXT NOT NULL, owner TEXT, modified REAL,
    UNIQUE (collection, source, name)
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    title TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, identifiers TEXT NOT NULL,
    start_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL, first_line INTEGER, last_line INTEGER, page INTEGER
);
CREATE INDEX IF NOT EXISTS chunks_by_document ON chunks (document, start_offset);
CREATE TABLE IF NOT EXISTS vectors (chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS garbage (key TEXT PRIMARY KEY);
"""
_VERSION = 2

FILTER_CACHE = 1000


class StoreFailed(SelfhelpError):
    """A knowledge base whose file cannot be read or written."""


class Counts(NamedTuple):
    """How many chunks a filter keeps, and how many there are."""

    kept: int
    every: int


class Database:
    """The file. Threads may read at any time, but only one may write; every method blocks.

    Args:
        path: the SQLite file; it is made if need be.

    Raises:
        StoreFailed: the file was made by another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: dict[tuple[int, Filter], Counts] = {}
        self._writer = self._connect()
        try:
            # Of processes that turn the log on at once, some are locked out: these find it on.
            with suppress(sqlite3.OperationalError):
                self._writer.execute("PRAGMA journal_mode = WAL")
            self._prepare()
        except BaseException:
            self._writer.close()
            raise

    def _prepare(self) -> None:
        version, tables = self._writer.execute(
            "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
        ).fetchone()
        if version == _VERSION:
            return
        if tables:
            raise StoreFailed(
                f"{self._path} was made by another version of Selfhelp: delete its folder and index the documents again"
            )
        # All at once, as a process may be killed here too.
        self._writer.executescript(
            f"BEGIN IMMEDIATE;{_SCHEMA}{words.SCHEMA}INSERT OR IGNORE INTO meta VALUES ('id', '{uuid.uuid4().hex}'), "
            f"('writes', 0);PRAGMA user_version = {_VERSION};COMMIT;"
        )

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def meta(self, name: str) -> str | int | None:
        """Return what was noted under a name."""
        with self.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
        return row[0] if row else None

    def note(self, **facts: str | int | None) -> None:
        """Note facts under their names."""
        with self.writing() as db:
            db.executemany("REPLACE INTO meta VALUES (?, ?)", facts.items())

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection of its own to one reader, who sees one state of the file throughout."""
        with closing(self._connect()) as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to the writer, whose changes are stored together at the end, or not at all.

        Raises:
            StoreFailed: the file cannot be written.
        """
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            with self._writer:
                yield self._writer
                self._writer.execute("UPDATE meta SET value = value + 1 WHERE name = 'writes'")
        except sqlite3.OperationalError as error:
            raise StoreFailed(
                f"{self._path} cannot be written: {error}. What was stored before is kept: free the disk or mend "
                "the folder's permissions, and go on"
            ) from error

    def counts(self, db: sqlite3.Connection, where: Filter) -> Counts:
        """Return how many chunks a filter keeps, in the state that a reader sees.

        Args:
            db: the reader's connection.
            where: the filter.
        """
        [writes] = db.execute("SELECT value FROM meta WHERE name = 'writes'").fetchone()
        if (writes, where) not in self._counts:
            condition, values = condition_of(where)
            counted = "SELECT count(*) FROM chunks JOIN documents ON documents.id = document"
            [kept] = db.execute(f"{counted} WHERE {condition}", values).fetchone()
            [every] = db.execute("SELECT count(*) FROM chunks").fetchone()
            if len(self._counts) >= FILTER_CACHE:
                self._counts.clear()
            self._counts[writes, where] = Counts(kept, every)
        return self._counts[writes, where]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=PATIENCE, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys = ON")
        return connection
