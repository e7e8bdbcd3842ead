"""Where threads are kept between turns: SQLite, or PostgreSQL when its address is set."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.base.id import UUID
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent.errors import SettingsError
from agent.serializer import ThreadSerializer
from agent.settings import Settings, load_settings
from agent.sqlite_threads import ThreadSaver

if TYPE_CHECKING:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

THREADS_FILE = "threads.sqlite"
BUSY_MILLISECONDS = 10_000

_ROWS_AT_ONCE = 1024  # as one trip to SQLite's thread brings them
_CONNECTIONS = 4  # LangGraph's checkpointer uses one at a time
_PATIENCE = 10.0  # seconds to wait for a connection
_TAKEN_AGAIN = 0.1  # seconds between attempts to be the one that makes tables

# Not the one of other tables: who waits for that does so in a transaction, whose end LangGraph's indexes wait for.
_LOCK = 7311
_TAKE = f"SELECT pg_try_advisory_lock({_LOCK}) AS taken"
_GIVE_BACK = f"SELECT pg_advisory_unlock({_LOCK})"

_LATEST = "SELECT thread_id, max(checkpoint_id) FROM checkpoints WHERE checkpoint_ns = '' GROUP BY thread_id"
_FROM_1582 = 12219292800.0


@asynccontextmanager
async def open_checkpointer(settings: Settings) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open the checkpointer that the settings name, for as long as the context lasts.

    Raises:
        SettingsError: the database cannot be opened.
    """
    saver = _postgres(settings.database_url.get_secret_value()) if settings.database_url else _sqlite(settings)
    async with saver as checkpointer:
        yield checkpointer


async def last_changes(checkpointer: BaseCheckpointSaver[Any]) -> dict[str, float]:
    """Return when each thread last changed, in seconds since 1970, by its id.

    Args:
        checkpointer: one that `open_checkpointer` gave.
    """
    if isinstance(checkpointer, AsyncSqliteSaver):
        async with checkpointer.lock, checkpointer.conn.execute(_LATEST) as found:
            rows = await found.fetchall()
    else:
        from psycopg.rows import tuple_row

        pool = checkpointer.conn  # type: ignore[attr-defined]
        async with pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            rows = await (await cursor.execute(_LATEST)).fetchall()
    return {thread: _time_of(checkpoint) for thread, checkpoint in rows}


async def last_change(checkpointer: BaseCheckpointSaver[Any], thread_id: str) -> float | None:
    """Return when a thread last changed, in seconds since 1970; None where nothing is kept of it.

    Args:
        checkpointer: one that `open_checkpointer` gave.
        thread_id: the thread.
    """
    latest = await checkpointer.aget_tuple(RunnableConfig(configurable={"thread_id": thread_id}))
    return _time_of(latest.checkpoint["id"]) if latest else None


def _time_of(checkpoint_id: str) -> float:
    # LangGraph's ids of checkpoints are times, counted as in RFC 9562: in 100 ns from October 1582.
    return UUID(checkpoint_id).time / 1e7 - _FROM_1582


@asynccontextmanager
async def threads() -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open the checkpointer for the LangGraph server, which names this function in langgraph.json."""
    async with open_checkpointer(await asyncio.to_thread(load_settings)) as checkpointer:
        yield checkpointer


@asynccontextmanager
async def _sqlite(settings: Settings) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    path = settings.data_dir / THREADS_FILE
    try:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        connection = await _connected(path)
    except (OSError, sqlite3.Error) as error:
        message = f"threads cannot be kept in {path}: {error}. Set SELFHELP_DATA_DIR to a folder that can be written"
        raise SettingsError(message) from None
    try:
        saver = ThreadSaver(connection, serde=ThreadSerializer())
        await saver.setup()
        yield saver
    finally:
        await connection.close()


async def _connected(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, iter_chunk_size=_ROWS_AT_ONCE)
    try:
        # With a write-ahead log, NORMAL loses nothing when the process dies, and saves a flush at every checkpoint.
        # What is deleted is written over.
        for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "synchronous=NORMAL", "secure_delete=ON"):
            await connection.execute(f"PRAGMA {pragma}")
        # Of processes that turn the log on at once, some are locked out: these find it on.
        with suppress(sqlite3.OperationalError):
            await connection.execute("PRAGMA journal_mode=WAL")
    except BaseException:
        await connection.close()
        raise
    return connection


@asynccontextmanager
async def _postgres(address: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    try:
        from psycopg import AsyncConnection, OperationalError
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool

        from agent.postgres_threads import PostgresThreadSaver
    except ImportError:
        raise SettingsError(
            "SELFHELP_DATABASE_URL needs PostgreSQL support: pip install 'selfhelp[postgres]'"
        ) from None
    try:
        # A pool tries for long what one connection finds out at once.
        await (await AsyncConnection.connect(address)).close()
    except OperationalError:  # its text repeats the address, with the password
        raise SettingsError(
            "PostgreSQL cannot be reached: check SELFHELP_DATABASE_URL and that the server runs"
        ) from None
    # A database that was away is connected to again: what a pool gives out has been tried.
    pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
        address,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        min_size=1,
        max_size=_CONNECTIONS,
        timeout=_PATIENCE,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    async with pool:
        checkpointer = PostgresThreadSaver(pool, serde=ThreadSerializer())
        await _set_up(checkpointer, pool)
        yield checkpointer


async def _set_up(checkpointer: AsyncPostgresSaver, pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]]) -> None:
    """Make the tables. LangGraph fails where two processes make them at once, so that they go one by one."""
    async with pool.connection() as connection:
        # They ask again and again: LangGraph makes indexes in a way that waits for whoever waits in the database.
        while not (await (await connection.execute(_TAKE)).fetchone() or {})["taken"]:  # noqa: ASYNC110
            await asyncio.sleep(_TAKEN_AGAIN)
        try:
            await checkpointer.setup()
        finally:
            await connection.execute(_GIVE_BACK)
