"""The least time that a turn can take: what its model and its tools cost on the longest path through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.planning.references import find
from benchmarks.shapes import FUNCTIONS, WRITES, Execution, Latency, run
from tests.support.model_server import Body, Reply, chat_events


@dataclass(frozen=True)
class Pace:
    """How long the model and the tools take, in seconds.

    Args:
        first_token: until the first piece of a reply.
        per_token: between two pieces.
        tool: for a tool call.
    """

    first_token: float
    per_token: float
    tool: Latency

    def arrival(self, position: int) -> float:
        """Return when a piece of a reply arrives, counted from the request."""
        return self.first_token + position * self.per_token

    def scaled(self, share: float) -> Pace:
        """Return the pace at which everything takes a share of the time."""
        return Pace(share * self.first_token, share * self.per_token, lambda *call: share * self.tool(*call))


@dataclass(frozen=True)
class Limit:
    """The seconds that a turn cannot go below.

    Args:
        first: until the first piece of the answer.
        whole: until the answer's end.
    """

    first: float
    whole: float


def critical_path(replies: Sequence[Reply], pace: Pace) -> Limit:
    """Return the seconds that a turn of these replies cannot go below.

    With `arrival(p) = first_token + p * per_token` for piece p of a reply, counted from 0, and for each call of a reply

        start(call) = max(arrival(the piece that closes the call's arguments), end(each call that it refers to))
        end(call)   = start(call) + the longest of its executions
        reply       = max(arrival(the reply's last piece), end(each call))

    a turn takes the sum over its replies. So a plan and its answer take: first token and tokens until the call closes
    that the longest path starts with, the tools on that path, and the second model call. A write starts no earlier than
    the reply has ended.

    Args:
        replies: the model's replies in their order; the pieces counted are those that the server streams.
        pace: what model and tools take.
    """
    seconds = [_seconds(reply, pace) for reply in replies]
    before, last = sum(seconds[:-1]), replies[-1]
    return Limit(before + (seconds[-1] if last.calls else pace.arrival(1)), before + seconds[-1])


def waited(replies: Sequence[Reply], pace: Pace) -> Limit:
    """Return what a turn of these replies waits for model and tools, where no call begins before its reply has ended.

    Args:
        replies: the model's replies in their order.
        pace: what model and tools take.
    """
    tools = [max((pace.tool(*call) for call in _calls(reply)), default=0.0) for reply in replies]
    whole, last = sum(tools) + sum(_whole(reply, pace) for reply in replies), replies[-1]
    # An answer that is an argument of a call is there once the call is whole.
    return Limit(whole if last.calls else whole - _whole(last, pace) + pace.arrival(1), whole)


def _whole(reply: Reply, pace: Pace) -> float:
    return pace.arrival(len(chat_events({"model": ""}, reply)) - 1)


def _calls(reply: Reply) -> list[Execution]:
    """Return the calls of a reply whose arguments are whole, and whose tools are there."""
    return [(tool, args) for tool, args in reply.calls if isinstance(args, dict) and tool in FUNCTIONS]


def _seconds(reply: Reply, pace: Pace) -> float:
    pieces, whole = chat_events({"model": ""}, reply), _whole(reply, pace)
    calls = [(tool, args) for tool, args in reply.calls if isinstance(args, dict)]
    executions, _ = run(calls)
    ends: dict[int, float] = {}
    for number, of_call in enumerate(executions, start=1):
        tool, args = calls[number - 1]
        asked = whole if tool in WRITES else pace.arrival(_closing(pieces, number))
        start = max(asked, *(ends[reference.call] for reference in find(args)), 0.0)
        ends[number] = start + max(pace.tool(*execution) for execution in of_call)
    return max(whole, *ends.values(), 0.0)


def _closing(pieces: Sequence[Body], number: int) -> int:
    """Return the position of the last piece of a call."""
    return max(
        position
        for position, piece in enumerate(pieces)
        for choice in piece["choices"]
        for part in choice["delta"].get("tool_calls", ())
        if part["index"] == number - 1
    )
