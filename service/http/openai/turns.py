"""One turn, from its question to what it leaves behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.runnables import RunnableConfig

from agent.errors import SelfhelpError
from agent.state import Usage, no_usage, turn_of
from service import metrics
from service.conversation import Conversation, Event, Question, StepEvent, Token
from service.http.openai.chat_models import FinishReason
from service.http.openai.errors import turn_failed
from service.http.openai.records import Asked, Status, add_run, add_thread, end_run
from service.http.openai.wire import Extension, Waiting
from service.http.problems import database_is_away
from service.http.services import Services
from service.http.streams import QUIET_SECONDS
from service.records.database import database_errors

# What a turn has left when its process is told to end. No other process can go on with this connection.
LAST_SECONDS = 5.0

Result = TypeVar("Result")

log = logging.getLogger(__name__)
_under_way: set[asyncio.Task[Any]] = set()


@dataclass(frozen=True)
class Quiet:
    """Nothing has happened for a while."""


@dataclass(frozen=True)
class Ended:
    """How a turn ended.

    Args:
        usage: tokens of all model calls.
        finish_reason: why the answer ends.
        last_message: id of the thread's last message.
        extension: what OpenAI's protocol has no place for.
    """

    usage: Usage
    finish_reason: FinishReason
    last_message: str | None
    extension: Extension


@dataclass
class _Exchange(Conversation):
    run_id: str = ""

    @property
    def config(self) -> RunnableConfig:
        """The config that names thread and run, as that of a run that is decided on does."""
        return RunnableConfig(configurable={"thread_id": self.thread, "run_id": self.run_id})

    async def reply_to(self, messages: Sequence[AnyMessage]) -> AsyncIterator[Event]:
        """Go through a turn that begins with several messages."""
        async for event in self._stream({"messages": list(messages)}):
            yield event


class Turn:
    """A turn of a conversation that the client holds. Its thread goes with it, unless a write waits there.

    Args:
        services: what the process shares.
        asked: what was asked, by whom, and where.
        messages: what the thread is given, the question last.
    """

    def __init__(self, services: Services, asked: Asked, messages: Sequence[AnyMessage]) -> None:
        self.asked = asked
        self.services = services
        *before, question = messages
        self._messages = [*before, question.model_copy(update={"id": asked.id})]
        self._exchange = _Exchange(services.graph, asked.context, asked.thread, asked.id)
        self._events: asyncio.Queue[Token | StepEvent | Ended | None] = asyncio.Queue()
        self._began = time.monotonic()
        self._spoke = False

    def _count(self, event: Token | StepEvent) -> None:
        if isinstance(event, StepEvent):
            metrics.count_step(event)
        elif not self._spoke:
            self._spoke = True
            metrics.FIRST_TOKEN.observe(time.monotonic() - self._began)

    async def leave(self, status: Status, actions: list[dict[str, Any]]) -> None:
        """Leave the thread as it is to be left.

        Args:
            status: how the turn ended.
            actions: what waits for a person.
        """
        if status != "waiting":
            await self.services.deletion.forget_writes(self.asked.thread)
            await self.services.checkpointer.adelete_thread(self.asked.thread)
            return
        worker = self.services.runner.worker
        async with self.services.database.begin() as connection:
            await add_thread(connection, self.asked)
            await add_run(connection, self.asked, worker)
            await end_run(connection, self.asked, worker, status, actions)

    async def events(self) -> AsyncIterator[Token | StepEvent | Quiet | Ended]:
        """Yield what happens, at last how the turn ended. Whoever stops listening ends the turn.

        Raises:
            Problem: the turn failed.
        """
        running = self._start()
        running.add_done_callback(lambda _: self._events.put_nowait(None))
        leaving = asyncio.create_task(self._leave())
        left = False
        try:
            while event := await self._next():
                yield event
            left = not running.done()
            if not (left or running.cancelled()):
                await running
        except SelfhelpError as error:
            raise turn_failed(503, str(error), "unavailable") from error
        except database_errors() as error:
            away = database_is_away(error)
            raise turn_failed(away.status_code, str(away.detail), "unavailable") from None
        except Exception as error:
            log.exception("a turn failed")
            raise turn_failed(500, "the turn failed: the log of the service says why", "failed") from error
        finally:
            leaving.cancel()
            running.cancel()
        if left:
            raise turn_failed(503, "the service was about to end: look what was done, and ask again", "unavailable")
        if running.cancelled():
            raise turn_failed(409, "the turn was cancelled, or its process was silent for too long", "cancelled")

    def _start(self) -> asyncio.Task[None]:
        return _kept(self._run())

    async def _leave(self) -> None:
        await self.services.runner.leaving.wait()
        await asyncio.sleep(LAST_SECONDS)
        self._events.put_nowait(None)

    async def _next(self) -> Token | StepEvent | Quiet | Ended | None:
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                return await self._events.get()
        except TimeoutError:
            return Quiet()

    async def _run(self) -> None:
        question: Question | None = None
        status: Status = "failed"
        metrics.UNDER_WAY.inc()
        try:
            async for event in self._exchange.reply_to(self._messages):
                if isinstance(event, Token | StepEvent):
                    self._events.put_nowait(event)
                    self._count(event)
                elif isinstance(event, Question):
                    question = event
            status = "waiting" if question else "finished"
        except asyncio.CancelledError:
            status = "cancelled"
            raise
        finally:
            metrics.UNDER_WAY.dec()
            metrics.RUNS.labels(status).inc()
            metrics.RUN_SECONDS.observe(time.monotonic() - self._began)
            # Whatever ends the turn, even the client's leaving while this goes on, it is brought to its end.
            ended = await asyncio.shield(_kept(self._settle(status, question)))
        self._events.put_nowait(ended)

    async def _settle(self, status: Status, question: Question | None) -> Ended:
        """Leave the turn's thread as it is to be left, and return how it ended."""
        values = (await self.services.graph.aget_state(self._exchange.config)).values
        messages: list[AnyMessage] = values.get("messages") or []
        if not turn_of(messages):  # it was cut off before its first reply, and the rest is of the turn before
            values = {}
        spent: Usage = values.get("usage") or no_usage()
        actions = question.actions if question else []
        if not question:  # else the run that goes on counts them
            metrics.count_calls(spent)
        await self.leave(status, actions)
        last = messages[-1] if messages else AIMessage("")
        extension = Extension(
            sources=values.get("sources") or [],
            plan=values.get("plan") or [],
            cost=spent["cost"],
            degraded=last.response_metadata.get("degraded") or last.response_metadata.get("broken_off"),
            spent=spent["spent"],
            flags=values.get("flags") or [],
            waiting=Waiting(thread_id=self.asked.thread, run_id=self.asked.id, actions=actions) if question else None,
        )
        return Ended(spent, finish_reason(last), last.id, extension)


def finish_reason(answer: BaseMessage) -> FinishReason:
    """Return why an answer ends, as its model's provider said it.

    Args:
        answer: the last message of the turn.
    """
    said = answer.response_metadata
    reason = said.get("finish_reason") or (said.get("incomplete_details") or {}).get("reason")
    if reason == "content_filter":
        return "content_filter"
    return "length" if reason in ("length", "max_output_tokens") else "stop"


async def settled() -> None:
    """Wait until the turns that were ended have left their threads as they should, before what they use is closed."""
    while _under_way:
        _, pending = await asyncio.wait(set(_under_way), timeout=LAST_SECONDS)
        if pending:
            log.warning("%d turns did not end in time", len(pending))
            return


def _kept(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Start work, and hold on to it until it is done: the event loop does not."""
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task
