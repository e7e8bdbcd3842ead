"""Where answers are kept that may be given again: beside the threads, in SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import JSON, Column, Connection, Engine, Float, Index, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from agent.database import create, engine_of
from agent.errors import AnswersUnavailable
from agent.settings import Settings

ANSWERS_FILE = "answers.sqlite"

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
        await asyncio.to_thread(self._in, lambda db: db.execute(delete(answers).where(answers.c.thread == thread)))

    def _in(self, work: Callable[[Connection], Result]) -> Result:
        """Do work in a transaction."""
        try:
            if self._engine is None:
                engine = engine_of(self._settings, ANSWERS_FILE)
                create(engine, answers)
                self._engine = engine
                weakref.finalize(self, engine.dispose)
            with self._engine.begin() as connection:
                return work(connection)
        except (SQLAlchemyError, OSError) as error:
            # The text of a driver's error may repeat the address, with the password.
            raise AnswersUnavailable(f"kept answers cannot be used: {type(error).__name__}") from error
