"""The service's database: SQLite beside the threads, or PostgreSQL when its address is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from agent.checkpoints import BUSY_MILLISECONDS
from agent.errors import SettingsError
from agent.settings import Settings

SERVICE_FILE = "service.sqlite"

_MIGRATIONS = Path(__file__).parent / "migrations"
# With a write-ahead log, NORMAL loses nothing when the process dies.
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_MILLISECONDS}")


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Open the service's database, with its tables brought up to date, for as long as the context lasts.

    Raises:
        SettingsError: it cannot be opened.
    """
    engine = create_async_engine(_address(settings), pool_pre_ping=bool(settings.database_url))
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
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
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


def _address(settings: Settings) -> URL:
    if settings.database_url is None:
        return URL.create("sqlite+aiosqlite", database=str(settings.data_dir / SERVICE_FILE))
    try:
        return make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    except ArgumentError:  # its text repeats the address, with the password
        raise SettingsError("SELFHELP_DATABASE_URL is not an address: write postgresql://user@host/name") from None


def _set_up(connection: Any, _: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Processes that start together wait for each other here.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5352)")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
