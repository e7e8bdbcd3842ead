"""Runs turns of threads: started, followed, decided on and cancelled from any process, and carried out in one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import asdict
from typing import Any, Self
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from agent.errors import SelfhelpError
from graphs.assistant import AssistantGraph
from service import metrics
from service.conversation import Event as TurnEvent
from service.conversation import Question, StepEvent, Token
from service.records.database import database_errors, went_away
from service.runs import decisions as decisions_of
from service.runs.failures import explained
from service.runs.follow import Followers
from service.runs.leaving import on_leaving
from service.runs.log import EventLog
from service.runs.reaper import Reaper
from service.runs.records import (
    ANSWER,
    END,
    ERROR,
    RESTART,
    STEP,
    TOKEN,
    WAITING,
    Event,
    NotWaiting,
    Outcome,
    Run,
)
from service.runs.store import MOST_TAKEOVERS, RunStore
from service.runs.tasks import Tasks, Why
from service.runs.turn import Turn

# Seconds to wait for a run to end that was cancelled.
CANCEL_PATIENCE = 10.0

log = logging.getLogger(__name__)


class Runner:
    """Runs turns. Use it as a context manager: at its end runs are let go, and another process takes them over.

    Args:
        graph: the assistant, over the service's checkpointer.
        database: the service's database.

    `leaving` is set when the process is told to end.
    """

    def __init__(self, graph: AssistantGraph, database: AsyncEngine) -> None:
        self.worker = uuid4().hex
        self.store = RunStore(database, self.worker)
        self._graph = graph
        self._tasks = Tasks()
        self._log = EventLog(database, self.worker, self._tasks.stop)
        self._followers = Followers(self._log, self._tasks)
        self._reaper = Reaper(self.store, self._tasks, self.take_over, self.go_on)
        self._stack = AsyncExitStack()
        self.leaving = asyncio.Event()

    async def __aenter__(self) -> Self:
        stack = self._stack
        stack.push_async_callback(self.store.let_go)
        await stack.enter_async_context(self._log.open())
        stack.push_async_callback(self._tasks.stop_all)
        await stack.enter_async_context(self._followers.open())
        await stack.enter_async_context(self._reaper.open())
        stack.enter_context(on_leaving(self._leave))
        return self

    def _leave(self) -> None:
        self.leaving.set()
        self._followers.close()

    async def __aexit__(self, *failure: object) -> None:
        await self._stack.aclose()

    async def start(
        self,
        thread_id: str,
        owner: str,
        text: str,
        context: Mapping[str, Any] | None = None,
        *,
        key_id: str | None = None,
        queue: bool = False,
        most: int | None = None,
    ) -> Run:
        """Start a run, and return it. It goes on whether or not anybody follows it.

        Args:
            thread_id: its thread.
            owner: whose thread it is.
            text: what the person says.
            context: fields of `agent.context.Context`; what is left out comes from persona and settings.
            key_id: the key that it is started with, for the record of usage.
            queue: whether it is queued where a run of the thread is under way.
            most: how many runs the owner may have under way, this one included; any number when None.

        Raises:
            NoThread: the owner has no such thread.
            Busy: a run of the thread is under way.
            TooMany: the owner has as many under way as they may.
        """
        run = Run(
            id=uuid4().hex,
            thread_id=thread_id,
            owner=owner,
            status="queued",
            input={"text": text},
            context=dict(context or {}),
            key_id=key_id,
            created=time.time(),
        )
        added = await self.store.add(run, queue=queue, most=most)
        if added.status == "running":
            self._log.begin(added.id)
            self._carry_out(added)
        return added

    def look_after(self, run_id: str, work: asyncio.Task[Any]) -> None:
        """Keep a run that others carry out in this process while its work goes on, and stop that if it is to end.

        Args:
            run_id: the run. It is this process's on record.
            work: its work, which records itself what becomes of the run.
        """
        self._tasks.look_after(run_id, work)

    def follow(self, run_id: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the events of a run behind a number, and those to come until it ends.

        It stops before that where this process is about to end: then the rest is to be had from the next one.
        """
        return self._followers.follow(run_id, after)

    async def cancel(self, run_id: str) -> Run | None:
        """Cancel a run, and return it as it is when it has ended."""
        await self.store.cancel(run_id)
        self._tasks.stop(run_id, "cancelled")
        try:
            async with asyncio.timeout(CANCEL_PATIENCE):
                await self.join(run_id)
        except TimeoutError:
            log.warning("run %s does not end, though it is cancelled", run_id)
        return await self.store.get(run_id)

    async def join(self, run_id: str) -> dict[str, Any] | None:
        """Wait until a run has ended or waits for a person, and return its answer, if it has one."""
        answer = None
        async with aclosing(self.follow(run_id)) as events:
            async for event in events:
                if event.event == ANSWER:
                    answer = event.data
                if event.event == WAITING and await self._waits(run_id):
                    break
        return answer

    async def _waits(self, run_id: str) -> bool:
        run = await self.store.get(run_id)
        return run is not None and run.status == WAITING

    async def decide(self, run: Run, decisions: Sequence[dict[str, Any]]) -> Run:
        """Go on with a run that waits for a person.

        Args:
            run: the run.
            decisions: one for each action that waits, in order.

        Raises:
            NotWaiting: it does not wait.
            WrongDecisions: the decisions do not fit what is asked. They can be given again.
        """
        turn = Turn.of(self._graph, run)
        seen = (await self._log.last_numbers([run.id])).get(run.id, 0)
        question = await turn.waiting()
        if run.status != WAITING or question is None:
            raise NotWaiting("the run does not wait for a decision")
        decisions_of.check(question, decisions)
        kept = await decisions_of.kept(self._graph, turn.config, question, decisions)
        taken = await self.store.decide(run.id, kept, seen)
        self._carry_out(taken)
        return taken

    async def question(self, run: Run) -> Question | None:
        """Return what a run waits for."""
        return await Turn.of(self._graph, run).waiting()

    async def take_over(self, run_id: str) -> None:
        """Go on with a run that another process has let go."""
        run = await self.store.take_over(run_id)
        if run is None:
            return
        if run.cancelled:
            await self._end(run, Outcome("cancelled"))
            return
        if reason := _hopeless(run):
            await self._fail(run, {"message": f"given up: {reason}", "code": "given_up"})
            return
        metrics.TAKEN_OVER.inc()
        self._log.add(run, RESTART, {})
        self._carry_out(run)

    async def go_on(self, thread_id: str) -> None:
        """Start the next run that is queued in a thread, if it is its turn."""
        run = await self.store.next_of(thread_id)
        if run:
            self._log.begin(run.id)
            self._carry_out(run)

    def _carry_out(self, run: Run) -> None:
        turn = Turn.of(self._graph, run)

        async def settle(work: asyncio.Task[Question | None], why: Why | None) -> None:
            metrics.UNDER_WAY.dec()
            await self._settle(run, turn, work, why)

        metrics.UNDER_WAY.inc()
        self._tasks.start(run.id, self._work(run, turn), settle)

    async def _work(self, run: Run, turn: Turn) -> Question | None:
        """Go through the turn, and return what it waits for at its end, if anything."""
        question, spoke = None, False
        async for event in turn.go_on(run) if run.decisions else turn.begin(run):
            question = event if isinstance(event, Question) else None
            self._tell(run, event)
            if isinstance(event, Token) and not spoke:
                spoke = True
                metrics.FIRST_TOKEN.observe(time.time() - run.created)
        return question

    async def _settle(self, run: Run, turn: Turn, work: asyncio.Task[Question | None], why: Why | None) -> None:
        """Record what became of a run, unless it goes on in another process."""
        if why in ("lost", "released") and work.cancelled():
            self._log.forget(run.id)
            return
        if work.cancelled():
            await self._end(run, Outcome("cancelled"))
        elif error := work.exception():
            if went_away(error):
                log.warning("run %s goes on when the database is back: %s", run.id, type(error).__name__)
                self._log.give_up(run.id)
                return
            log.error("run %s failed: %s", run.id, error, exc_info=None if isinstance(error, SelfhelpError) else error)
            await self._fail(run, explained(error))
        elif question := work.result():
            metrics.RUNS.labels(WAITING).inc()
            await self._log.close(run, WAITING, {"run_id": run.id, "actions": question.actions}, Outcome("waiting"))
        else:
            answer = turn.answer()
            metrics.count_calls(answer.usage)
            self._log.add(run, ANSWER, answer.model_dump(mode="json"))
            await self._end(run, Outcome("finished"))
        if why != "released":
            with suppress(*database_errors()):  # the reaper goes on when it is back
                await self.go_on(run.thread_id)

    def _tell(self, run: Run, event: TurnEvent) -> None:
        if isinstance(event, Token):
            self._log.add(run, TOKEN, {"text": event.text})
        elif isinstance(event, StepEvent):
            self._log.add(run, STEP, asdict(event))
            metrics.count_step(event)

    async def _fail(self, run: Run, error: dict[str, Any]) -> None:
        self._log.add(run, ERROR, error)
        await self._end(run, Outcome("failed", error["message"]))

    async def _end(self, run: Run, outcome: Outcome) -> None:
        metrics.RUNS.labels(outcome.status).inc()
        metrics.RUN_SECONDS.observe(time.time() - run.created)
        await self._log.close(run, END, {"status": outcome.status}, outcome)


def _hopeless(run: Run) -> str | None:
    """Return why a run whose process has ended does not go on."""
    if run.attended:
        return "the process that it ran in has ended, and its client's connection with it"
    if run.takeovers > MOST_TAKEOVERS:
        return f"the process that it ran in has ended {run.takeovers} times"
    return None
