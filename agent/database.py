"""Where records are kept beside the threads: in PostgreSQL with them, or in SQLite files of their own."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateIndex, CreateTable

from agent.checkpoints import BUSY_MILLISECONDS
from agent.errors import SettingsError
from agent.settings import Settings

LOCK = 7310  # of our own making


def engine_of(settings: Settings, file: str) -> Engine:
    """Return the engine of the database that threads are in, or of an SQLite file beside them. Nothing is opened yet.

    Args:
        settings: where threads are kept.
        file: name of the file, where it is SQLite.

    Raises:
        SettingsError: the address of the database is none.
    """
    if settings.database_url is None:
        engine = create_engine(URL.create("sqlite", database=str(settings.data_dir / file)))
        event.listen(engine, "connect", set_up)
        return engine
    try:
        address = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    except ArgumentError:  # its text repeats the address, with the password
        raise SettingsError("SELFHELP_DATABASE_URL is not an address: write postgresql://user@host/name") from None
    return create_engine(address, pool_pre_ping=True)


def create(engine: Engine, table: Table) -> None:
    """Make a table, and the folder that it is in, if they are not there."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # PostgreSQL fails where two make the same table at once.
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def set_up(connection: Any, _: Any) -> None:
    """Set up a connection to an SQLite file, as SQLAlchemy's event `connect` has it done."""
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is written over
    # Of processes that turn the log on at once, some are locked out: these find it on.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL")
    # With a write-ahead log, NORMAL loses nothing when the process dies.
    connection.execute("PRAGMA synchronous=NORMAL")
