"""Why a run failed, as its owner is told."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from agent.errors import SelfhelpError


def explained(error: BaseException) -> dict[str, Any]:
    """Return what clients are told of an error: its text only where it was written for them.

    Args:
        error: what ended the run.
    """
    if isinstance(error, SelfhelpError):
        return {"message": str(error), "code": "failed"}
    if _is_of_database(error):
        return {"message": "the database of the threads cannot be used now: ask again soon", "code": "unavailable"}
    return {"message": "the run failed: the log of the service says why", "code": "failed"}


def _is_of_database(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error | SQLAlchemyError | OSError):
        return True
    # psycopg is there only where PostgreSQL is used.
    return type(error).__module__.partition(".")[0] == "psycopg"
