"""Writes happen once: on record before they are sent, and never sent again without a key or a person's word."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException
from langgraph.errors import GraphBubbleUp

from agent.consent import Approve, Decision, Reject, Respond, Write, ask
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

    async def known(self, writes: Sequence[Write]) -> list[Intent | None]:
        """Return what is on record of each execution of a call.

        Where nobody knows what came of some, a person is asked about all of these in one request: answers are kept in
        the order of requests, and must not be taken for those to another execution when the run goes on.

        Args:
            writes: the executions, in order.

        Raises:
            NotRecorded: it cannot be looked up, and so none may be sent.
            GraphInterrupt: a person is asked whether to send some again.
            pydantic.ValidationError: the answer does not fit. It is not kept, and can be given again.
        """
        if self.thread is None:
            return [None] * len(writes)
        keys = [key_of(self.thread, record_of(self.plan, write.call.id), place) for place, write in enumerate(writes)]
        known = await asyncio.gather(*map(self.intents.find, keys))
        cut_off = [
            (write, intent)
            for write, intent in zip(writes, known, strict=True)
            if intent and intent.outcome is None and not write.tool.honours_key
        ]
        if not cut_off:
            return known
        decisions = await ask(
            [write for write, _ in cut_off],
            [f"{_doubt(intent)} Send it again?" for _, intent in cut_off],
            offered=["approve", "reject"],
            answered=max(intent.answers for intent in known if intent),
        )
        settled = {
            intent.key: await self._settled(intent, decision)
            for (_, intent), decision in zip(cut_off, decisions, strict=True)
        }
        return [settled.get(intent.key, intent) if intent else None for intent in known]

    async def send(self, write: Write, place: int, known: Intent | None, send: Send) -> Any:
        """Send a write, unless it was sent before: then return what came of it.

        Args:
            write: the write, of which this is one execution.
            place: which execution, from 0.
            known: what is on record of it.
            send: sends it and returns its result, already as JSON types.

        Raises:
            ToolException: it failed, now or before.
            NotRecorded: it was not sent, as it cannot be recorded or another run is sending it.
            OutcomeUnknown: there was no answer.
        """
        if self.thread is None:
            with _under(str(uuid.uuid4())):
                return await send()
        if known and known.outcome is not None:
            return _result(known.outcome)
        record = record_of(self.plan, write.call.id)
        key = key_of(self.thread, record, place)
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

    async def _settled(self, intent: Intent, decision: Decision) -> Intent:
        """Return the intent of a write that was cut off, as a person has decided on it."""
        if isinstance(decision, Approve):
            return intent
        outcome: dict[str, Any] = {"decided": True}
        if isinstance(decision, Respond):
            outcome["value"] = decision.message
        else:
            why = f": {decision.message}" if isinstance(decision, Reject) and decision.message else ""
            outcome["error"] = f"{_doubt(intent)} A person did not let it be sent again{why}"
        await self.intents.finish(intent.key, outcome)
        return replace(intent, outcome=outcome)


def _doubt(intent: Intent) -> str:
    sent = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(intent.sent))
    return f"This was sent at {sent}, and whether it took effect is not known."


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
