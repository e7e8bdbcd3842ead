"""Where threads are kept between turns: SQLite, or PostgreSQL when its address is set."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent.errors import SettingsError
from agent.settings import Settings, load_settings

THREADS_FILE = "threads.sqlite"
BUSY_MILLISECONDS = 10_000


@asynccontextmanager
async def open_checkpointer(settings: Settings) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open the checkpointer that the settings name, for as long as the context lasts.

    Raises:
        SettingsError: the database cannot be opened.
    """
    saver = _postgres(settings.database_url.get_secret_value()) if settings.database_url else _sqlite(settings)
    async with saver as checkpointer:
        yield checkpointer


@asynccontextmanager
async def threads() -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open the checkpointer for the LangGraph server, which names this function in langgraph.json."""
    async with open_checkpointer(await asyncio.to_thread(load_settings)) as checkpointer:
        yield checkpointer


@asynccontextmanager
async def _sqlite(settings: Settings) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    path = settings.data_dir / THREADS_FILE
    try:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        connection = await _connected(path)
    except (OSError, sqlite3.Error) as error:
        message = f"threads cannot be kept in {path}: {error}. Set SELFHELP_DATA_DIR to a folder that can be written"
        raise SettingsError(message) from None
    try:
        saver = AsyncSqliteSaver(connection, serde=JsonPlusSerializer())
        await saver.setup()
        yield saver
    finally:
        await connection.close()


async def _connected(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path)
    try:
        # With a write-ahead log, NORMAL loses nothing when the process dies, and saves a flush at every checkpoint.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_MILLISECONDS}"):
            await connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        await connection.close()
        raise
    return connection


@asynccontextmanager
async def _postgres(address: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    try:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from psycopg import OperationalError
    except ImportError:
        raise SettingsError(
            "SELFHELP_DATABASE_URL needs PostgreSQL support: pip install 'selfhelp[postgres]'"
        ) from None
    saver = AsyncPostgresSaver.from_conn_string(address, serde=JsonPlusSerializer())
    try:
        checkpointer = await saver.__aenter__()
    except OperationalError:  # its text repeats the address, with the password
        raise SettingsError(
            "PostgreSQL cannot be reached: check SELFHELP_DATABASE_URL and that the server runs"
        ) from None
    try:
        await checkpointer.setup()
        yield checkpointer
    finally:
        await saver.__aexit__(None, None, None)
