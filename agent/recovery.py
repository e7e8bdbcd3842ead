"""Mending a thread whose last run was cut off: every call gets its message, and finished steps keep their results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from agent.intents import Intent, Intents
from agent.once import NOT_KNOWN
from agent.planning.plan import calls_in
from agent.results import Numbering, tool_message
from agent.state import Outcome, records_of, sources_of

# The run that was cut off has left at most a few checkpoints since its plan.
CHECKPOINTS_TO_SEARCH = 10

CUT_OFF = "not run to its end: the turn was cut off"


async def sent_outcomes(intents: Intents, messages: Sequence[AnyMessage], wanted: set[str]) -> dict[str, Outcome]:
    """Return what is on record of writes whose run was cut off, by call id: what came of them, or that nobody knows.

    Args:
        intents: the record.
        messages: the thread.
        wanted: call ids.
    """
    records = {record: call_id for record, call_id in records_of(messages).items() if call_id in wanted}
    sent: dict[str, list[Intent]] = {}
    for intent in await intents.of_calls(records):
        sent.setdefault(records[intent.call_id], []).append(intent)
    return {call_id: _outcome(call_id, of_call) for call_id, of_call in sent.items()}


def _outcome(call_id: str, intents: Sequence[Intent]) -> Outcome:
    known = [intent.outcome for intent in intents if intent.outcome is not None]
    errors = [outcome["error"] for outcome in known if "error" in outcome]
    if len(known) < len(intents):
        errors.append(f"{CUT_OFF}; {NOT_KNOWN}")
    values = [outcome["value"] for outcome in known if "value" in outcome]
    return Outcome(
        call_id=call_id,
        status="failed" if errors else "finished",
        value=values[0] if len(values) == 1 else values,
        passages=False,
        resolved=None,
        error="; ".join(errors) or None,
        started=intents[0].sent,
        ended=intents[0].sent,
    )


def dangling(messages: Sequence[AnyMessage]) -> set[str]:
    """Return the ids of calls that no message answers. A model's API would refuse such a thread."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return set(records_of(messages).values()) - answered


def repaired(messages: Sequence[AnyMessage], outcomes: dict[str, Outcome], budget: int) -> list[AnyMessage]:
    """Return the messages with an answer behind every call.

    Args:
        messages: the thread.
        outcomes: what is known of calls that no message answers, by call id.
        budget: tokens of a result that the model is shown.
    """
    open_calls = dangling(messages)
    numbering = Numbering(sources_of(messages))
    mended: list[AnyMessage] = []
    waiting: list[AnyMessage] = []
    for message in messages:
        if not isinstance(message, ToolMessage):
            mended += waiting
            waiting = []
        mended.append(message)
        if isinstance(message, AIMessage):
            waiting = list(_answers(message, open_calls, outcomes, numbering, budget))
    return mended + waiting


async def persisted_outcomes(config: RunnableConfig, wanted: set[str]) -> dict[str, Outcome]:
    """Return the outcomes of steps that finished before their run was cut off, by call id.

    LangGraph keeps the result of each finished task with the checkpoint that the run had reached.

    Args:
        config: the config of the node that asks.
        wanted: call ids.
    """
    configurable = config.get("configurable", {})
    saver = configurable.get("__pregel_checkpointer")
    if not isinstance(saver, BaseCheckpointSaver):
        return {}
    namespace, _, _ = str(configurable.get("checkpoint_ns", "")).rpartition("|")
    thread = RunnableConfig(configurable={"thread_id": configurable["thread_id"], "checkpoint_ns": namespace})
    found: dict[str, Outcome] = {}
    async for checkpoint in _latest(saver, thread):
        for _, _, value in checkpoint.pending_writes or ():
            if isinstance(value, dict) and value.get("call_id") in wanted:
                found.setdefault(value["call_id"], Outcome(**value))  # type: ignore[typeddict-item]
    return found


async def _latest(saver: BaseCheckpointSaver[Any], thread: RunnableConfig) -> AsyncIterator[CheckpointTuple]:
    try:
        async for checkpoint in saver.alist(thread, limit=CHECKPOINTS_TO_SEARCH):
            yield checkpoint
    except NotImplementedError:  # a saver that is only synchronous
        for checkpoint in await asyncio.to_thread(lambda: list(saver.list(thread, limit=CHECKPOINTS_TO_SEARCH))):
            yield checkpoint


def _answers(
    message: AIMessage, open_calls: set[str], outcomes: dict[str, Outcome], numbering: Numbering, budget: int
) -> list[ToolMessage]:
    answers = []
    for call in calls_in(message):
        if call.id in outcomes:
            answers.append(tool_message(call, outcomes[call.id], numbering, budget))
        elif call.id in open_calls:
            answers.append(ToolMessage(CUT_OFF, tool_call_id=call.id, name=call.tool, status="error"))
    answers += [
        ToolMessage(CUT_OFF, tool_call_id=str(invalid["id"]), name=invalid["name"] or "", status="error")
        for invalid in message.invalid_tool_calls
        if invalid["id"] in open_calls
    ]
    return answers
