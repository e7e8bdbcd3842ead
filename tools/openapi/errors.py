"""What goes wrong with an API: its document, one operation of it, or a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from langchain_core.tools import ToolException

from agent.errors import SelfhelpError


class ApiFailed(SelfhelpError):
    """An API of which no tools can be made. The message names its document and the place in it."""


class Unusable(Exception):
    """A part of a document that cannot be converted; the message says why. Its operation is skipped."""


@dataclass(frozen=True)
class Status:
    """What a failed call's response said that matters to who tries again.

    Args:
        status_code: HTTP status.
        headers: its `retry-after` header, where it has one.
    """

    status_code: int
    headers: Mapping[str, str] = field(default_factory=dict)


class CallFailed(ToolException):
    """A call that the API answered with something else than a result.

    Args:
        message: status and reason.
        response: what the response said.
    """

    def __init__(self, message: str, response: Status) -> None:
        super().__init__(message)
        self.response = response


class Unreachable(ToolException, ConnectionError):
    """A call without an answer.

    Args:
        message: why.
        may_have_arrived: whether the API may have got the request, so that a write may have taken effect.
    """

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived
