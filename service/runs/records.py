"""What is on record of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from agent.errors import SelfhelpError

Status = Literal["queued", "running", "waiting", "finished", "failed", "cancelled"]

UNDER_WAY = ("queued", "running")
ENDED = ("finished", "failed", "cancelled")

RESTART = "restart"
WAITING = "waiting"
ANSWER = "answer"
ERROR = "error"
END = "end"
LEAVING = "leaving"
TOKEN = "token"  # noqa: S105  a token of the answer
STEP = "step"


class NoThread(SelfhelpError):
    """A thread that is not there."""


class Busy(SelfhelpError):
    """A thread with a run under way."""


class TooMany(SelfhelpError):
    """A person with as many runs under way as they may have."""


class NotWaiting(SelfhelpError):
    """A run that asks nothing."""


class WrongDecisions(SelfhelpError):
    """Decisions that do not fit what is asked."""


@dataclass(frozen=True)
class Run:
    """A run: one turn of a thread. Times are seconds since 1970.

    Args:
        id: its id, which is its question's too.
        thread_id: its thread.
        owner: whose thread it is.
        status: where it stands.
        input: what it began with: the question's text, and whether it is carried out for a client that waits for it.
        context: how it runs; fields of `agent.context.Context`.
        key_id: the key that it was started with.
        created: when it was asked for.
        decisions: what a person decided last, as `service.runs.decisions` keeps it.
        worker: the process that it runs in.
        lease: until when that process has it.
        takeovers: how often another process has taken it over.
        cancelled: whether it is to end.
        error: why it failed.
        started: when it began.
        ended: when it ended.
    """

    id: str
    thread_id: str
    owner: str
    status: Status
    input: dict[str, Any]
    context: dict[str, Any]
    key_id: str | None
    created: float
    decisions: dict[str, Any] | None = None
    worker: str | None = None
    lease: float | None = None
    takeovers: int = 0
    cancelled: bool = False
    error: str | None = None
    started: float | None = None
    ended: float | None = None

    @property
    def attended(self) -> bool:
        """Whether it ends with its client's connection. What a person has decided on since goes on as any other."""
        return bool(self.input.get("attended")) and self.decisions is None


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Args:
        number: its place in the run, from 1; None where it could not be recorded.
        event: its kind.
        data: the rest.
    """

    number: int | None
    event: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What becomes of a run with its last event, or when it waits.

    Args:
        status: where it stands then.
        error: why it failed.
    """

    status: Status
    error: str | None = None
