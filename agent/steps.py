"""Running one tool call: arguments resolved, time bounded, reads retried, and every failure turned into an outcome."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException
from langgraph.errors import GraphBubbleUp
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from agent.consent import Write
from agent.context import Context
from agent.errors import SelfhelpError
from agent.once import NOT_KNOWN, Once, Send
from agent.plain import NotPlain, legible, plain
from agent.planning.plan import Call, resolve
from agent.state import Outcome, Passage, StepStatus
from agent.toolset import BoundTool, Toolset

Emit = Callable[[dict[str, Any]], None]
SendOnce = Callable[[Send], Awaitable[Any]]
Attempt = tuple[Any, str | None]  # what a tool gave, or why it gave nothing

READ_ATTEMPTS = 3
FIRST_DELAY = 0.25
LONGEST_DELAY = 20.0
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}

log = logging.getLogger(__name__)


class ToolGone(SelfhelpError):
    """A tool that a plan was made with, and that its server does not offer any more."""


class Steps:
    """Runs calls of one run's tools and tells about it.

    Args:
        tools: the tools of the run.
        context: limits of the run.
        emit: takes the step events, as LangGraph's stream writer does.
        round_number: which reply of the turn the calls come from, from 1.
        once: sends writes; None where there are none.
    """

    def __init__(
        self, tools: Toolset, context: Context, emit: Emit, round_number: int, once: Once | None = None
    ) -> None:
        self.tools = tools
        self._context = context
        self._emit = emit
        self._round = round_number
        self._once = once

    async def run(self, call: Call, results: Mapping[int, Any]) -> Outcome:
        """Run one call that has passed the plan check.

        Args:
            call: the call.
            results: results of the calls it depends on, by number.
        """
        return await self._run(call, lambda: self._resolved(call, results))

    async def run_with(self, call: Call, args: Any) -> Outcome:
        """Run a call with other arguments than it came with.

        Args:
            call: the call.
            args: the arguments, or a list of them where it fans out.
        """
        outcome = await self._run(call, lambda: args)
        note = f"A person changed this call before it ran. It ran with {json.dumps(args, ensure_ascii=False)}."
        return {**outcome, "note": note}

    def write(self, call: Call, results: Mapping[int, Any]) -> Write:
        """Return a write with results in the place of references.

        Raises:
            SelfhelpError: a result has no such part, or the call would run too often.
        """
        return Write(call, self._tool(call), self._resolved(call, results))

    def _resolved(self, call: Call, results: Mapping[int, Any]) -> Any:
        return resolve(call.args, self._tool(call).parameters, results, self._context.max_fan_out)

    def _tool(self, call: Call) -> BoundTool:
        tool = self.tools.get(call.tool)
        if tool is None:
            raise ToolGone(f"{call.tool} was there when this was planned, and is not now: its server does not answer")
        return tool

    async def _run(self, call: Call, arguments: Callable[[], Any]) -> Outcome:
        started = time.time()
        resolved: Any = None
        self.tell(call, "started")
        try:
            tool = self._tool(call)
            resolved = arguments()
            result, errors = await self._execute(tool, call, resolved)
            value = plain(result)
        except NotPlain as error:
            result, value, errors = None, None, [f"the result cannot be used: {error}"]
        except SelfhelpError as error:
            result, value, errors = None, None, [str(error)]
        outcome = Outcome(
            call_id=call.id,
            status="failed" if errors else "finished",
            value=value,
            passages=is_passages(result) and not isinstance(resolved, list),
            resolved=resolved,
            error="; ".join(errors) or None,
            started=started,
            ended=time.time(),
        )
        self.tell(call, outcome["status"], outcome)
        return outcome

    def tell(self, call: Call, status: StepStatus | str, outcome: Outcome | None = None) -> None:
        """Emit a step event."""
        event: dict[str, Any] = {"type": "step", "id": call.id, "number": call.number, "round": self._round}
        event |= {"tool": call.tool, "status": status, "args": call.args}
        if outcome:
            event["ms"] = round(1000 * (outcome["ended"] - outcome["started"]))
            event["error"] = outcome["error"]
        self._emit(event)

    async def _execute(self, tool: BoundTool, call: Call, resolved: Any) -> tuple[Any, list[str]]:
        """Return the result and the errors of a call, or the list of results of one that fans out."""
        every = resolved if isinstance(resolved, list) else [resolved]
        senders = await self._senders(tool, call, every)
        if not isinstance(resolved, list):
            value, error = await self._attempt(tool, call, resolved, senders[0])
            return value, [error] if error else []
        # None is left under way where one of them asks a person.
        attempts = await asyncio.gather(
            *(self._attempt(tool, call, args, once) for args, once in zip(every, senders, strict=True)),
            return_exceptions=True,
        )
        pairs = [_unless_raised(attempt) for attempt in attempts]
        errors = [f"element {index}: {error}" for index, (_, error) in enumerate(pairs) if error]
        return [None if error else value for value, error in pairs], errors

    async def _senders(self, tool: BoundTool, call: Call, every: list[dict[str, Any]]) -> list[SendOnce | None]:
        """Return what sends each execution of a write so that it happens once. A read needs nothing of the kind."""
        if tool.effect == "read" or self._once is None:
            return [None] * len(every)
        writes = [Write(call, tool, args) for args in every]
        known = await self._once.known(writes)
        return [partial(self._once.send, write, place, known[place]) for place, write in enumerate(writes)]

    async def _attempt(self, tool: BoundTool, call: Call, args: dict[str, Any], once: SendOnce | None) -> Attempt:
        try:
            async with asyncio.timeout(self._context.tool_timeout) as limit:
                return await self._call(tool, call, args, once), None
        except GraphBubbleUp:  # a tool that interrupts the run to ask a person
            raise
        except ValidationError as invalid:
            return None, legible("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in invalid.errors()))
        except (ToolException, SelfhelpError) as error:
            return None, legible(str(error))
        except Exception as error:
            if limit.expired():
                late = f"{tool.name} gave no result within {self._context.tool_timeout:g} seconds"
                return None, late if tool.effect == "read" else f"{late}; {NOT_KNOWN}"
            log.warning("tool %s raised", tool.name, exc_info=True)
            return None, legible(f"{type(error).__name__}: {error}")

    async def _call(self, tool: BoundTool, call: Call, args: dict[str, Any], once: SendOnce | None) -> Any:
        if problems := list(tool.problems_of_resolved(args)):
            raise ToolException("; ".join(problems))
        if once is None:
            attempts = AsyncRetrying(
                stop=stop_after_attempt(READ_ATTEMPTS if tool.effect == "read" else 1),
                retry=retry_if_exception(is_transient),
                wait=_delay,
                reraise=True,
            )
            return await attempts(invoke, tool, call, args)

        async def send() -> Any:
            result = await invoke(tool, call, args)
            try:
                return plain(result)
            except NotPlain as error:
                return f"It was done. What came back cannot be used: {error}"

        return await once(send)


def _unless_raised(attempt: Attempt | BaseException) -> Attempt:
    if isinstance(attempt, BaseException):
        raise attempt
    return attempt


def is_passages(value: Any) -> bool:
    """Whether a result is a list of passages, which are numbered and can be cited."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, Passage) for item in value)


def is_transient(error: BaseException) -> bool:
    """Whether trying again soon may help: a lost connection, or an HTTP status that says so."""
    import httpx
    import httpx2

    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return status in _TRANSIENT_STATUS and (retry_after(error) or 0) <= LONGEST_DELAY
    return isinstance(error, ConnectionError | httpx.TransportError | httpx2.TransportError)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that a response asked to wait, if it did (RFC 9110, section 10.2.3)."""
    header = getattr(getattr(error, "response", None), "headers", {}).get("retry-after")
    if header is None:
        return None
    if header.isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def _delay(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = retry_after(error) if error else None
    return asked if asked is not None else FIRST_DELAY * 2 ** (state.attempt_number - 1)


async def invoke(tool: BoundTool, call: Call, args: dict[str, Any]) -> Any:
    """Call the tool and return its result as Python made it, or its artifact where it has one."""
    # Without the tag, a model that a tool calls would stream its tokens as if they were the answer's.
    quiet = RunnableConfig(tags=["nostream"])
    if tool.tool.response_format == "content" and not tool.tool.handle_tool_error:
        return await tool.tool.ainvoke(args, quiet)
    request = ToolCall(name=tool.name, args=args, id=call.id, type="tool_call")
    message = await tool.tool.ainvoke(request, quiet)
    if not isinstance(message, ToolMessage):
        return message
    if message.status == "error":
        raise ToolException(str(message.text))
    return message.content if message.artifact is None else message.artifact
