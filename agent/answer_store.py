"""Where answers are kept that may be given again: beside the threads, in SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    URL,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    insert,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from agent.checkpoints import BUSY_MILLISECONDS
from agent.errors import SelfhelpError
from agent.settings import Settings

ANSWERS_FILE = "answers.sqlite"
_LOCK = 7311  # of our own making

answers = Table(
    "answers",
    MetaData(),
    Column("key", String(64), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("thread", String(200)),
    Column("at", Float, nullable=False),
    Column("turn", JSON, nullable=False),
    Index("answers_of_owner", "owner", "at"),
    Index("answers_of_thread", "thread"),
)

Result = TypeVar("Result")


class AnswersUnavailable(SelfhelpError):
    """Kept answers that cannot be read or written."""


class AnswerStore:
    """Keeps answers. Nothing is opened before it is first used.

    Args:
        settings: where they are kept.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine | None = None

    async def find(self, key: str) -> dict[str, Any] | None:
        """Return what is kept under a key.

        Raises:
            AnswersUnavailable: it cannot be read.
        """
        wanted = select(answers.c.turn).where(answers.c.key == key)
        return await asyncio.to_thread(self._in, lambda db: db.scalar(wanted))

    async def keep(self, key: str, owner: str, thread: str | None, turn: dict[str, Any], most: int) -> None:
        """Keep an answer, and of its owner's answers the latest only.

        Args:
            key: what it is found by.
            owner: whose it is.
            thread: the thread that it is from.
            turn: the answer, as JSON.
            most: how many of the owner's to keep.

        Raises:
            AnswersUnavailable: it cannot be written.
        """
        of_owner = answers.c.owner == owner
        later = select(answers.c.at).where(of_owner).order_by(answers.c.at.desc()).offset(most).limit(1)

        def write(db: Connection) -> None:
            db.execute(delete(answers).where(answers.c.key == key))
            db.execute(insert(answers).values(key=key, owner=owner, thread=thread, at=time.time(), turn=turn))
            if (old := db.scalar(later)) is not None:
                db.execute(delete(answers).where(of_owner, answers.c.at <= old))

        await asyncio.to_thread(self._in, write)

    async def forget(self, thread: str) -> None:
        """Forget the answers that are from a thread.

        Raises:
            AnswersUnavailable: they cannot be deleted.
        """
        if self._settings.database_url is not None or await asyncio.to_thread(self._path.exists):
            await asyncio.to_thread(self._in, lambda db: db.execute(delete(answers).where(answers.c.thread == thread)))

    @property
    def _path(self) -> Path:
        return self._settings.data_dir / ANSWERS_FILE

    def _in(self, work: Callable[[Connection], Result]) -> Result:
        """Do work in a transaction."""
        try:
            self._engine = self._engine or self._opened()
            with self._engine.begin() as connection:
                return work(connection)
        except (SQLAlchemyError, OSError) as error:
            # The text of a driver's error may repeat the address, with the password.
            raise AnswersUnavailable(f"kept answers cannot be used: {type(error).__name__}") from error

    def _opened(self) -> Engine:
        if url := self._settings.database_url:
            engine = create_engine(
                make_url(url.get_secret_value()).set(drivername="postgresql+psycopg"), poolclass=NullPool
            )
        else:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(URL.create("sqlite", database=str(self._path)), poolclass=NullPool)
            event.listen(engine, "connect", _set_up)
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                # PostgreSQL fails where two make the same table at once.
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            connection.execute(CreateTable(answers, if_not_exists=True))
            for index in answers.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
        return engine


def _set_up(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is written over
    with suppress(sqlite3.OperationalError):  # another process turns it on
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
