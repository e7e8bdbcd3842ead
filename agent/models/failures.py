"""Failures of model calls, in words for the person who can mend them."""

from __future__ import annotations

import asyncio

from agent.errors import SelfhelpError

_BY_STATUS = {
    400: "the request was refused",
    401: "the key was refused: check OPENAI_API_KEY, or SELFHELP_API_KEY for a compatible server",
    403: "the key may not use this model",
    404: "there is no such model or address",
    408: "the server timed out",
    413: "the conversation is too large for the model",
    429: "the rate limit or the quota is used up",
}
# What HTTP clients raise, whichever of them a model uses, before they have sent anything.
_NEVER_ARRIVED = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError"}


def explained(error: BaseException) -> str:
    """Say in a few words why a model call failed. What the server wrote is left out: it may repeat keys or prompts."""
    if isinstance(error, SelfhelpError):
        return str(error)
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        reason = _BY_STATUS.get(status, "the server failed" if status >= 500 else "the request was refused")  # noqa: PLR2004
        return f"{reason} (HTTP {status})"
    name = type(error).__name__
    if isinstance(error, TimeoutError | asyncio.TimeoutError) or "Timeout" in name:
        return "the server did not answer in time"
    if isinstance(error, ConnectionError) or "Connect" in name or "Protocol" in name or "Network" in name:
        return "the connection could not be made or was lost"
    return f"the model call failed ({name})"


def was_not_begun(error: BaseException) -> bool:
    """Whether a model call came to nothing before its model began: it was refused, or never arrived."""
    if isinstance(getattr(error, "status_code", None), int) or type(error).__name__ in _NEVER_ARRIVED:
        return True
    return error.__cause__ is not None and was_not_begun(error.__cause__)
