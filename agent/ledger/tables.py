"""The ledger's table, and where it is: beside the threads, in SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateIndex, CreateTable

from agent.checkpoints import BUSY_MILLISECONDS
from agent.errors import SettingsError
from agent.settings import Settings

LEDGER_FILE = "ledger.sqlite"
LOCK = 7310  # of our own making

# A call that is under way has `open_until`, and of its figures only the most that it may use.
calls = Table(
    "model_calls",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("turn", String(200)),
    Column("thread", String(200)),
    Column("owner", String(200), nullable=False),
    Column("key", String(200)),
    Column("persona", String(100)),
    Column("node", String(40), nullable=False),
    Column("round", Integer, nullable=False),
    Column("model", String(200), nullable=False),
    Column("at", Float, nullable=False),
    Column("day", String(10), nullable=False),
    Column("input", Integer, nullable=False),
    Column("cached", Integer, nullable=False),
    Column("cache_write", Integer, nullable=False),
    Column("output", Integer, nullable=False),
    Column("reasoning", Integer, nullable=False),
    Column("cost", Float),
    Column("most_cost", Float),
    Column("most_tokens", Integer),
    Column("open_until", Float),
    Index("model_calls_of_day", "day", "owner"),
    Index("model_calls_of_thread", "thread"),
    Index("model_calls_of_turn", "turn"),
)


def engine_of(settings: Settings) -> Engine:
    """Return the engine of the ledger's database. Nothing is opened yet.

    Raises:
        SettingsError: the address of the database is none.
    """
    if settings.database_url is None:
        engine = create_engine(URL.create("sqlite", database=str(settings.data_dir / LEDGER_FILE)))
        event.listen(engine, "connect", _set_up)
        return engine
    try:
        address = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    except ArgumentError:  # its text repeats the address, with the password
        raise SettingsError("SELFHELP_DATABASE_URL is not an address: write postgresql://user@host/name") from None
    return create_engine(address, pool_pre_ping=True)


def create(engine: Engine) -> None:
    """Make the table, if it is not there."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # PostgreSQL fails where two make the same table at once.
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        connection.execute(CreateTable(calls, if_not_exists=True))
        for index in calls.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def _set_up(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    # Processes that turn the log on at once are locked out: whoever is second finds it on, or goes on without.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL")
    # With a write-ahead log, NORMAL loses nothing when the process dies.
    connection.execute("PRAGMA synchronous=NORMAL")
