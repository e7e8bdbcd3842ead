"""Intents: what a write is about to do, on record before it is done, so that no crash makes it happen twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agent.errors import SelfhelpError
from agent.settings import Settings

if TYPE_CHECKING:
    from psycopg import AsyncCursor

_SCHEMA = """CREATE TABLE IF NOT EXISTS intents (
    key TEXT PRIMARY KEY, call_id TEXT NOT NULL, request TEXT NOT NULL, attempts INTEGER NOT NULL, sent {real} NOT NULL,
    outcome TEXT
)"""
_COLUMNS = "key, call_id, request, attempts, sent, outcome"
# No row is touched where another process was faster.
_BEGIN = """INSERT INTO intents (key, call_id, request, attempts, sent) VALUES ({0}, {0}, {0}, {0}, {0})
ON CONFLICT (key) DO UPDATE SET attempts = excluded.attempts, sent = excluded.sent, request = excluded.request
WHERE intents.attempts = excluded.attempts - 1 AND intents.outcome IS NULL"""
_TAKEN = "not sent, as another run of this thread is sending it: look whether it took effect"
_LOCK = 7309  # of our own making
_KEYS = uuid.UUID("7c1f8b6e-3f5a-4c57-9d0e-5b7f2a9e4d11")


class NotRecorded(SelfhelpError):
    """The record of writes could not be read or written."""


@dataclass(frozen=True)
class Intent:
    """A write on record.

    Args:
        key: its idempotency key.
        call_id: the tool call that it belongs to, as `agent.state.record_of` names it.
        request: what it sends, without secrets.
        attempts: how often it was sent.
        sent: when it was sent last, in seconds since 1970.
        outcome: value or error that came of it, as `{"value": …}` or `{"error": …}`, with `"decided": true` where a
            person said so; None while it is not known.
    """

    key: str
    call_id: str
    request: str
    attempts: int
    sent: float
    outcome: dict[str, Any] | None

    @property
    def answers(self) -> int:
        """How often a person has said what is to become of it: each sent it again, and one may have settled it."""
        return self.attempts - 1 + bool(self.outcome and self.outcome.get("decided"))


class Intents(Protocol):
    """Intents on record. What a method has recorded is durable when it returns."""

    async def find(self, key: str) -> Intent | None:
        """Return the intent of a key.

        Raises:
            NotRecorded: the record cannot be read, and so nothing may be sent.
        """
        ...

    async def of_calls(self, call_ids: Iterable[str]) -> list[Intent]:
        """Return the intents of tool calls."""
        ...

    async def begin(self, key: str, call_id: str, request: str, attempt: int) -> None:
        """Record that a write is sent now.

        Args:
            key: its idempotency key.
            call_id: the tool call that it belongs to, as `agent.state.record_of` names it.
            request: what it sends, without secrets.
            attempt: how often it is sent with this, from 1. Of several processes, one may begin an attempt.

        Raises:
            NotRecorded: it cannot be recorded, or another process has begun, and so it must not be sent.
        """

    async def finish(self, key: str, outcome: dict[str, Any]) -> None:
        """Record what came of a write.

        Raises:
            NotRecorded: it cannot be recorded.
        """

    async def withdraw(self, key: str) -> None:
        """Strike an intent out: nothing was sent."""


def key_of(thread: str, call_id: str, element: int) -> str:
    """Return the idempotency key of a write: the same in every process, for as long as its thread lives.

    Args:
        thread: id of the thread.
        call_id: the tool call, as `agent.state.record_of` names it.
        element: which execution of a call that fans out, from 0.
    """
    return str(uuid.uuid5(_KEYS, f"{thread}\0{call_id}\0{element}"))


def open_intents(settings: Settings) -> Intents:
    """Return where the settings keep intents: beside the threads."""
    if settings.database_url:
        return PostgresIntents(settings.database_url.get_secret_value())
    return SqliteIntents(settings.data_dir / "effects.sqlite")


@dataclass(frozen=True)
class SqliteIntents:
    """Intents in an SQLite file of their own, which is made with the first of them."""

    path: Path

    async def find(self, key: str) -> Intent | None:
        """Return the intent of a key."""
        with self._said("not sent, as it cannot be looked up"):
            rows = await asyncio.to_thread(self._select, "key = ?", [key])
        return rows[0] if rows else None

    async def of_calls(self, call_ids: Iterable[str]) -> list[Intent]:
        """Return the intents of tool calls."""
        listed = json.dumps(list(call_ids))
        return await asyncio.to_thread(self._select, "call_id IN (SELECT value FROM json_each(?))", [listed])

    async def begin(self, key: str, call_id: str, request: str, attempt: int) -> None:
        """Record that a write is sent now."""
        with self._said("not sent, as it cannot be recorded"):
            values = [key, call_id, request, attempt, time.time()]
            begun = await asyncio.to_thread(self._write, _BEGIN.format("?"), values)
        if not begun:
            raise NotRecorded(_TAKEN)

    async def finish(self, key: str, outcome: dict[str, Any]) -> None:
        """Record what came of a write."""
        written = [json.dumps(outcome, ensure_ascii=False), key]
        with self._said("what came of it cannot be recorded"):
            await asyncio.to_thread(self._write, "UPDATE intents SET outcome = ? WHERE key = ?", written)

    async def withdraw(self, key: str) -> None:
        """Strike an intent out: nothing was sent."""
        await asyncio.to_thread(self._write, "DELETE FROM intents WHERE key = ?", [key])

    def _select(self, condition: str, values: list[str]) -> list[Intent]:
        if not self.path.exists():
            return []
        with closing(self._connect()) as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM intents WHERE {condition}", values)
            return [_intent(row) for row in rows]

    def _write(self, statement: str, values: list[Any]) -> int:
        """Return how many rows the statement touched."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as db, db:
            return db.execute(statement, values).rowcount

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30)
        # A commit is to survive a power cut, not only a kill. To keep the journal's file saves a third of it.
        connection.executescript(
            "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON; "
            f"{_SCHEMA.format(real='REAL')}"
        )
        return connection

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise NotRecorded(f"{what} in {self.path}: {error}") from error


@dataclass(frozen=True)
class PostgresIntents:
    """Intents in the PostgreSQL database of the threads."""

    url: str

    async def find(self, key: str) -> Intent | None:
        """Return the intent of a key."""
        with _said_of_database("not sent, as it cannot be looked up"):
            rows = await self._select("key = %s", key)
        return rows[0] if rows else None

    async def of_calls(self, call_ids: Iterable[str]) -> list[Intent]:
        """Return the intents of tool calls."""
        return await self._select("call_id = ANY(%s)", list(call_ids))

    async def begin(self, key: str, call_id: str, request: str, attempt: int) -> None:
        """Record that a write is sent now."""
        with _said_of_database("not sent, as it cannot be recorded"):
            begun = await self._write(_BEGIN.format("%s"), [key, call_id, request, attempt, time.time()])
        if not begun:
            raise NotRecorded(_TAKEN)

    async def finish(self, key: str, outcome: dict[str, Any]) -> None:
        """Record what came of a write."""
        with _said_of_database("what came of it cannot be recorded"):
            written = [json.dumps(outcome, ensure_ascii=False), key]
            await self._write("UPDATE intents SET outcome = %s WHERE key = %s", written)

    async def withdraw(self, key: str) -> None:
        """Strike an intent out: nothing was sent."""
        await self._write("DELETE FROM intents WHERE key = %s", [key])

    async def _select(self, condition: str, value: Any) -> list[Intent]:
        async with self._cursor() as cursor:
            await cursor.execute(f"SELECT {_COLUMNS} FROM intents WHERE {condition}", [value])
            return [_intent(row) for row in await cursor.fetchall()]

    async def _write(self, statement: str, values: list[Any]) -> int:
        """Return how many rows the statement touched."""
        async with self._cursor() as cursor:
            await cursor.execute(statement, values)
            return int(cursor.rowcount)

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[AsyncCursor]:
        import psycopg

        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            # PostgreSQL fails where two make the same table at once.
            schema = _SCHEMA.format(real="DOUBLE PRECISION")
            await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK}); {schema}")
            async with connection.cursor() as cursor:
                yield cursor


@contextmanager
def _said_of_database(what: str) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        # Its text may hold the address of the database.
        raise NotRecorded(f"{what} in the database: {type(error).__name__}") from None


def _intent(row: Any) -> Intent:
    key, call_id, request, attempts, sent, outcome = row
    return Intent(key, call_id, request, attempts, sent, json.loads(outcome) if outcome else None)
