"""The service's database: SQLite beside the threads, or PostgreSQL when its address is set."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from agent.database import set_up
from agent.errors import SettingsError
from agent.settings import Settings

SERVICE_FILE = "service.sqlite"

# The database may be that of a LangGraph server too, whose tables have the same names.
_SCHEMA = "selfhelp"
# SQLite has one writer at a time, and those that wait for it are served in no order: of many, one may wait too long. A
# pool has a queue.
_CONNECTIONS = 3
_MIGRATIONS = Path(__file__).parent / "migrations"


def database_errors() -> tuple[type[Exception], ...]:
    """Return what is raised where a database cannot be used: this one, or that of the checkpoints."""
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error)
    with suppress(ImportError):  # it is there only where PostgreSQL may be used
        import psycopg

        errors += (psycopg.Error,)
    return errors


def went_away(error: BaseException) -> bool:
    """Whether an error says that PostgreSQL ended a connection or gave none, which another attempt may have."""
    if isinstance(error, DBAPIError) and error.orig:
        error = error.orig
    try:
        import psycopg
    except ImportError:  # it is there only where PostgreSQL may be used
        return False
    # https://www.postgresql.org/docs/current/errcodes-appendix.html: a full disk is an operational error as well.
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(("08", "57P"))


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Open the service's database, with its tables brought up to date, for as long as the context lasts.

    Raises:
        SettingsError: it cannot be opened.
    """
    engine = await asyncio.to_thread(_engine, settings)  # SQLAlchemy looks up where a relative path is
    try:
        await _prepare(engine, settings)
        yield engine
    finally:
        await engine.dispose()


async def _prepare(engine: AsyncEngine, settings: Settings) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_up)
    try:
        await asyncio.to_thread(settings.data_dir.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(_migrate, engine.url)
    except OSError as error:
        raise SettingsError(
            f"{settings.data_dir} cannot be written: set SELFHELP_DATA_DIR ({error.strerror})"
        ) from None
    except SQLAlchemyError as error:
        # The text of a driver's error may repeat the address, with the password.
        name = type(getattr(error, "orig", error)).__name__
        raise SettingsError(
            f"the service's database cannot be used: {name}. Check that it runs and that it can be "
            "written: SELFHELP_DATABASE_URL, or SELFHELP_DATA_DIR for SQLite"
        ) from None


def _engine(settings: Settings) -> AsyncEngine:
    if settings.database_url is None:
        path = URL.create("sqlite+aiosqlite", database=str(settings.data_dir / SERVICE_FILE))
        return create_async_engine(path, pool_size=_CONNECTIONS, max_overflow=0)
    try:
        address = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    except ArgumentError:  # its text repeats the address, with the password
        raise SettingsError("SELFHELP_DATABASE_URL is not an address: write postgresql://user@host/name") from None

    own_schema = {"options": f"-c search_path={_SCHEMA}"}
    return create_async_engine(address, connect_args=own_schema, pool_pre_ping=True)


def _set_up(connection: Any, record: Any) -> None:
    set_up(connection, record)
    connection.execute("PRAGMA foreign_keys=ON")


def _migrate(address: URL) -> None:
    # Alembic reads its files as it goes, so it has a thread and a connection of its own.
    engine = create_engine(address.set(drivername=address.drivername.replace("+aiosqlite", "")))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up)
        _begin_at_once(engine)
    try:
        with engine.begin() as connection:
            _upgrade(connection)
    finally:
        engine.dispose()


def _begin_at_once(engine: Engine) -> None:
    """Have transactions take in tables that are made, and keep other processes out from their beginning.

    Python's driver begins one before the first row that is written, and no sooner.
    """

    def take_over(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    event.listen(engine, "connect", take_over)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Processes that start together wait for each other here.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5352)")
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
        connection.exec_driver_sql(f"SET LOCAL search_path TO {_SCHEMA}")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
