"""The planner: one streamed model call that answers, or writes the plan of every call the question needs."""

from __future__ import annotations

from dataclasses import replace

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.config import get_config, get_stream_writer
from langgraph.types import Overwrite

from agent.answer_cache import key_of, mark, recalled
from agent.degraded import degraded_answer, fallback_plan, notice_of
from agent.errors import ModelUnavailable
from agent.plain import plain
from agent.planning.plan import calls_in
from agent.recovery import dangling, persisted_outcomes, repaired, sent_outcomes
from agent.reply import PLANNER, Asker
from agent.results import planned
from agent.round import negotiate
from agent.run import Run
from agent.state import State, Summary, no_usage, question_of
from agent.summary import summarised
from agent.usage import used_before

NOTHING_ASKED = "Please write what you would like to know."


async def plan(state: State, run: Run) -> State:
    """Answer the question or plan the calls for it.

    Args:
        state: the thread, with a message of a person at its end.
        run: the run.
    """
    messages = [*state["messages"][:-1], *map(_legible, state["messages"][-1:])]
    if cut_off := dangling(messages):
        outcomes = await sent_outcomes(run.intents, messages, cut_off) | await persisted_outcomes(get_config(), cut_off)
        messages = repaired(messages, outcomes, run.context.result_tokens)
    update = await _begin(messages, state.get("summary"), run)
    if messages != state["messages"]:
        update["messages"] = Overwrite([*messages, *update["messages"]])  # type: ignore[typeddict-item]
    return update


async def _begin(messages: list[AnyMessage], summary: Summary | None, run: Run) -> State:
    fresh = State(messages=[], plan=[], sources=[], usage=no_usage(), flags=[])
    if not _asks_something(messages):
        return {**fresh, "messages": [AIMessage(run.persona.greeting or NOTHING_ASKED)]}
    key = await key_of(messages, run)
    if key and (again := await recalled(key, run)):
        return again
    asker = Asker(run, PLANNER, get_stream_writer())
    summary = await summarised(messages, summary, run, asker)
    fresh |= {"summary": summary}
    try:
        update = await negotiate(replace(asker, summary=summary), {**fresh, "messages": messages})
    except ModelUnavailable as error:
        fresh["usage"] = used_before(error, fresh["usage"], asker.calls)
        return _without_model(fresh, messages, run, notice_of(error))
    if key:
        mark(update, key)
    return {**fresh, **update}


def _legible(message: AnyMessage) -> AnyMessage:
    content = plain(message.content)
    return message if content == message.content else message.model_copy(update={"content": content})


def _without_model(fresh: State, messages: list[AnyMessage], run: Run, notice: str) -> State:
    search = fallback_plan(run, messages, notice)
    if search is None:
        answer, _ = degraded_answer(messages, run, notice)
        return {**fresh, "messages": [answer]}
    return {**fresh, "messages": [search], "plan": [planned(call, 1, run) for call in calls_in(search)]}


def _asks_something(messages: list[AnyMessage]) -> bool:
    if question_of(messages).strip():
        return True
    last = messages[-1] if messages else None
    return (
        last is not None
        and isinstance(last.content, list)
        and any(isinstance(block, dict) and block.get("type") != "text" for block in last.content)
    )
