"""Intents: what a write is about to do, on record before it is done, so that no crash makes it happen twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent.errors import SelfhelpError
from agent.settings import Settings

_SCHEMA = """CREATE TABLE IF NOT EXISTS intents (
    key TEXT PRIMARY KEY, call_id TEXT NOT NULL, request TEXT NOT NULL, attempts INTEGER NOT NULL, sent {real} NOT NULL,
    outcome TEXT
)"""
_COLUMNS = "key, call_id, request, attempts, sent, outcome"
_BEGIN = """INSERT INTO intents (key, call_id, request, attempts, sent) VALUES ({0}, {0}, {0}, 1, {0})
ON CONFLICT (key) DO UPDATE SET attempts = intents.attempts + 1, sent = excluded.sent, request = excluded.request"""
_KEYS = uuid.UUID("7c1f8b6e-3f5a-4c57-9d0e-5b7f2a9e4d11")


class NotRecorded(SelfhelpError):
    """An intent that could not be put on record. The write was not sent."""


@dataclass(frozen=True)
class Intent:
    """A write on record.

    Args:
        key: its idempotency key.
        call_id: the tool call that it belongs to.
        request: what it sends, without secrets.
        attempts: how often it was sent.
        sent: when it was sent last, in seconds since 1970.
        outcome: value or error that came of it, as `{"value": …}` or `{"error": …}`; None while that is not known.
    """

    key: str
    call_id: str
    request: str
    attempts: int
    sent: float
    outcome: dict[str, Any] | None


class Intents(Protocol):
    """Intents on record. What a method has recorded is durable when it returns."""

    async def find(self, key: str) -> Intent | None:
        """Return the intent of a key."""
        ...

    async def of_calls(self, call_ids: Iterable[str]) -> list[Intent]:
        """Return the intents of tool calls."""
        ...

    async def begin(self, key: str, call_id: str, request: str) -> None:
        """Record that a write is sent now.

        Raises:
            NotRecorded: it cannot be recorded, and so must not be sent.
        """

    async def finish(self, key: str, outcome: dict[str, Any]) -> None:
        """Record what came of a write."""

    async def withdraw(self, key: str) -> None:
        """Strike an intent out: nothing was sent."""


def key_of(thread: str, call_id: str, element: int) -> str:
    """Return the idempotency key of a write: the same in every process, for as long as its thread lives.

    Args:
        thread: id of the thread.
        call_id: id of the tool call.
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
        rows = await asyncio.to_thread(self._select, "key = ?", [key])
        return rows[0] if rows else None

    async def of_calls(self, call_ids: Iterable[str]) -> list[Intent]:
        """Return the intents of tool calls."""
        listed = json.dumps(list(call_ids))
        return await asyncio.to_thread(self._select, "call_id IN (SELECT value FROM json_each(?))", [listed])

    async def begin(self, key: str, call_id: str, request: str) -> None:
        """Record that a write is sent now."""
        try:
            await asyncio.to_thread(self._write, _BEGIN.format("?"), [key, call_id, request, time.time()])
        except (OSError, sqlite3.Error) as error:
            raise NotRecorded(f"not sent, as it cannot be recorded in {self.path}: {error}") from error

    async def finish(self, key: str, outcome: dict[str, Any]) -> None:
        """Record what came of a write."""
        written = [json.dumps(outcome, ensure_ascii=False), key]
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

    def _write(self, statement: str, values: list[Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as db, db:
            db.execute(statement, values)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30)
        # A commit is to survive a power cut, not only a kill.
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA.format(real='REAL')}")
        return connection


@dataclass(frozen=True)
class PostgresIntents:
    """Intents in the PostgreSQL database of the threads."""

    url: str

    async def find(self, key: str) -> Intent | None:
        """Return the intent of a key."""
        rows = await self._run(f"SELECT {_COLUMNS} FROM intents WHERE key = %s", [key])
        return _intent(rows[0]) if rows else None

    async def of_calls(self, call_ids: Iterable[str]) -> list[Intent]:
        """Return the intents of tool calls."""
        rows = await self._run(f"SELECT {_COLUMNS} FROM intents WHERE call_id = ANY(%s)", [list(call_ids)])
        return [_intent(row) for row in rows]

    async def begin(self, key: str, call_id: str, request: str) -> None:
        """Record that a write is sent now."""
        import psycopg

        try:
            await self._run(_BEGIN.format("%s"), [key, call_id, request, time.time()])
        except psycopg.Error as error:
            raise NotRecorded(f"not sent, as it cannot be recorded in the database: {type(error).__name__}") from None

    async def finish(self, key: str, outcome: dict[str, Any]) -> None:
        """Record what came of a write."""
        written = [json.dumps(outcome, ensure_ascii=False), key]
        await self._run("UPDATE intents SET outcome = %s WHERE key = %s", written)

    async def withdraw(self, key: str) -> None:
        """Strike an intent out: nothing was sent."""
        await self._run("DELETE FROM intents WHERE key = %s", [key])

    async def _run(self, statement: str, values: list[Any]) -> list[Any]:
        import psycopg

        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute(_SCHEMA.format(real="DOUBLE PRECISION"))
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []


def _intent(row: Any) -> Intent:
    key, call_id, request, attempts, sent, outcome = row
    return Intent(key, call_id, request, attempts, sent, json.loads(outcome) if outcome else None)
