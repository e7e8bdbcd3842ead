"""The three functions as graph nodes, for asynchronous and for synchronous callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.func import task
from langgraph.runtime import get_runtime
from langgraph.types import Overwrite

from agent.answer_cache import keep
from agent.background import in_background
from agent.context import Context, current
from agent.executor import execute
from agent.planner import plan
from agent.planning.dag import Launch
from agent.responder import respond
from agent.run import Assistant, Run
from agent.state import Outcome, State, calls_of

Work = Callable[[], Awaitable[Outcome]]
Body = Callable[[State, Run, Launch], Awaitable[State]]


def planner(assistant: Assistant) -> Runnable[State, State]:
    """Return the planner node."""
    return _node("planner", assistant, lambda state, run, _: plan(state, run))


def executor(assistant: Assistant) -> Runnable[State, State]:
    """Return the executor node."""
    return _node("executor", assistant, execute)


def responder(assistant: Assistant) -> Runnable[State, State]:
    """Return the responder node."""
    return _node("responder", assistant, lambda state, run, _: respond(state, run))


def _node(name: str, assistant: Assistant, body: Body) -> Runnable[State, State]:
    async def enter(state: State, persist: Launch) -> State:
        run = await assistant.run(get_runtime(Context).context)
        run = await run.fitting(state["messages"])
        current.set(run.context)
        update = await body(state, run, persist)
        await keep(state, update, run)
        if ends_turn(update):
            await run.account.keep(update["usage"]["calls"])
        return update

    async def run_async(state: State) -> State:
        return await enter(state, lambda work: cast("asyncio.Future[Outcome]", step(work)))

    def run_sync(state: State) -> State:
        return in_background(enter(state, lambda work: asyncio.wrap_future(step_from_thread(work))))

    return RunnableLambda(run_sync, run_async, name=name)


def ends_turn(update: State) -> bool:
    """Whether a node's update holds the answer."""
    messages: Any = update["messages"]
    last = (messages.value if isinstance(messages, Overwrite) else messages)[-1]
    return isinstance(last, AIMessage) and not calls_of(last)


@task
async def step(work: Work) -> Outcome:
    """Run a step of a plan. LangGraph persists what it returns, and gives that back instead of running it again."""
    return await work()


@task
def step_from_thread(work: Work) -> Outcome:
    """Run a step for a synchronous caller, where LangGraph gives each task a thread of its own."""
    return in_background(_awaited(work))


async def _awaited(work: Work) -> Outcome:
    return await work()
