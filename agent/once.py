"""Writes happen once: on record before they are sent, and never sent again without a key or a person's word."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException
from langgraph.errors import GraphBubbleUp

from agent.consent import Approve, Reject, Respond, Write, ask
from agent.effects import idempotency_key
from agent.intents import Intent, Intents, NotRecorded, key_of
from agent.plain import legible
from agent.state import record_of

NOT_KNOWN = "it was sent, but whether it took effect is not known: look before it is done again"
# Answers of a server that broke while it was at work, or of a gateway that stopped waiting for it.
_IN_DOUBT = {500, 502, 504, 520, 522, 524}
_STILL_AT_WORK = 409

Send = Callable[[], Awaitable[Any]]

log = logging.getLogger(__name__)


class OutcomeUnknown(ToolException):
    """A write that was sent and not answered."""


@dataclass(frozen=True)
class Once:
    """Sends the writes of one plan.

    Args:
        intents: the record.
        thread: id of the thread; None where nothing outlives the run.
        plan: the reply that holds their calls.
    """

    intents: Intents
    thread: str | None
    plan: AIMessage

    async def send(self, write: Write, element: int, send: Send) -> Any:
        """Send a write, unless it was sent before: then return what came of it, or ask a person where nobody knows.

        Args:
            write: the write, of which this is one execution.
            element: which execution, from 0.
            send: sends it and returns its result, already as JSON types.

        Raises:
            ToolException: it failed, now or before.
            NotRecorded: it was not sent, as it cannot be recorded or another run is sending it.
            OutcomeUnknown: there was no answer.
            GraphInterrupt: a person is asked whether to send it again.
        """
        if self.thread is None:
            with _under(str(uuid.uuid4())):
                return await send()
        record = record_of(self.plan, write.call.id)
        key = key_of(self.thread, record, element)
        known = await self.intents.find(key)
        if known and known.outcome is None and not write.tool.honours_key:
            known = await self._decided(write, known)
        if known and known.outcome is not None:
            return _result(known.outcome)
        await self.intents.begin(key, record, write.described(), known.attempts + 1 if known else 1)
        try:
            with _under(key):
                value = await send()
        except GraphBubbleUp:
            # The tool asks a person and runs again from its beginning, which it must be made for.
            await self.intents.withdraw(key)
            raise
        except Exception as error:
            if leaves_doubt(error) or (known and _status(error) == _STILL_AT_WORK):
                said = str(error) if isinstance(error, ToolException) else f"{type(error).__name__}: {error}"
                raise OutcomeUnknown(f"{said}; {NOT_KNOWN}") from error
            await self._record(key, {"error": legible(str(error)) or type(error).__name__})
            raise
        await self._record(key, {"value": value})
        return value

    async def _record(self, key: str, outcome: dict[str, Any]) -> None:
        """Record what came of a write. Where that fails, it is known to this run alone, and must not be lost to it."""
        try:
            await self.intents.finish(key, outcome)
        except NotRecorded as error:
            log.error("a write that was sent: %s", error)  # noqa: TRY400 - its message says it all

    async def _decided(self, write: Write, known: Intent) -> Intent | None:
        """Ask a person what is to become of a write that was cut off, once for each time it was sent."""
        for _ in range(known.attempts):
            sent = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known.sent))
            note = f"This was sent at {sent}, and whether it took effect is not known."
            [decision] = ask([write], f"{note} Send it again?", offered=["approve", "reject"])
            if isinstance(decision, Approve):
                continue
            if isinstance(decision, Respond):
                outcome = {"value": decision.message}
            else:
                why = f": {decision.message}" if isinstance(decision, Reject) and decision.message else ""
                outcome = {"error": f"{note} A person did not let it be sent again{why}"}
            await self.intents.finish(known.key, outcome)
            return await self.intents.find(known.key)
        return known


@contextmanager
def _under(key: str) -> Iterator[None]:
    token = idempotency_key.set(key)
    try:
        yield
    finally:
        idempotency_key.reset(token)


def leaves_doubt(error: BaseException) -> bool:
    """Whether a request may have taken effect although it failed: it left, and no answer came that tells."""
    import httpx
    import httpx2

    if hasattr(error, "may_have_arrived"):
        return bool(error.may_have_arrived)
    if (status := _status(error)) is not None:
        return status in _IN_DOUBT
    if isinstance(error, httpx.ConnectError | httpx2.ConnectError):
        return False
    return isinstance(error, TimeoutError | httpx.TransportError | httpx2.TransportError)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a failed call, where it was answered."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _result(outcome: dict[str, Any]) -> Any:
    if "error" in outcome:
        raise ToolException(outcome["error"])
    return outcome["value"]
