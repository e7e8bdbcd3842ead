"""The least time that a turn can take: what its model and its tools cost on the longest path through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.planning.references import find
from tests.support.model_server import Body, Reply, chat_events


@dataclass(frozen=True)
class Pace:
    """How long the model and the tools take, in seconds.

    Args:
        first_token: until the first piece of a reply.
        per_token: between two pieces.
        tool: for one tool call.
    """

    first_token: float
    per_token: float
    tool: float

    def arrival(self, position: int) -> float:
        """Return when a piece of a reply arrives, counted from the request."""
        return self.first_token + position * self.per_token


def critical_path(replies: Sequence[Reply], pace: Pace, *, ahead: bool) -> float:
    """Return the seconds that a turn cannot go below.

    With `arrival(p) = first_token + p * per_token` for piece p of a reply, counted from 0, and for each call of a reply

        start(call) = max(arrival(the piece that closes the call's arguments), end(each call that it refers to))
        end(call)   = start(call) + tool
        reply       = max(arrival(the reply's last piece), end(each call))

    a turn takes the sum over its replies. So a plan and its answer take: first token and tokens until the call closes
    that the longest path starts with, the tools on that path, and the second model call.

    Args:
        replies: the model's replies in their order; the pieces counted are those that the server streams.
        pace: what model and tools take.
        ahead: whether calls start while the reply streams; else `start` waits for the reply's last piece.
    """
    return sum(_seconds(reply, pace, ahead=ahead) for reply in replies)


def _seconds(reply: Reply, pace: Pace, *, ahead: bool) -> float:
    pieces = chat_events({"model": ""}, reply)
    whole = pace.arrival(len(pieces) - 1)
    ends: dict[int, float] = {}
    for number, (tool, args) in enumerate(reply.calls, start=1):
        if tool != "reply":
            asked = pace.arrival(_closing(pieces, number)) if ahead else whole
            ends[number] = max(asked, *_needed(args, ends)) + pace.tool
    return max(whole, *ends.values()) if ends else whole


def _needed(args: Any, ends: dict[int, float]) -> list[float]:
    return [0.0, *(ends[reference.call] for reference in find(args))]


def _closing(pieces: Sequence[Body], number: int) -> int:
    """Return the position of the last piece of a call."""
    return max(
        position
        for position, piece in enumerate(pieces)
        for choice in piece["choices"]
        for part in choice["delta"].get("tool_calls", ())
        if part["index"] == number - 1
    )
