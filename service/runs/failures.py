"""Why a run failed, as its owner is told."""

from __future__ import annotations

from typing import Any

from agent.errors import SelfhelpError
from service.records.database import database_errors


def explained(error: BaseException) -> dict[str, Any]:
    """Return what clients are told of an error: its text only where it was written for them.

    Args:
        error: what ended the run.
    """
    if isinstance(error, SelfhelpError):
        return {"message": str(error), "code": "failed"}
    if isinstance(error, (*database_errors(), OSError)):
        return {"message": "the database of the threads cannot be used now: ask again soon", "code": "unavailable"}
    return {"message": "the run failed: the log of the service says why", "code": "failed"}
