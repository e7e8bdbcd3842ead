"""Answers that are given again: to the same first question of the same person, while what they rest on is the same.

Only what can be repeated is kept: turns that read the documents, or calculated, and did nothing else. The key of an
answer is made when its turn begins, so one over documents that change meanwhile is never found under the new ones.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    messages_from_dict,
    messages_to_dict,
)
from langgraph.config import get_config
from langgraph.types import Overwrite

from agent.errors import AnswersUnavailable
from agent.prompts import system_prompt
from agent.run import Run
from agent.state import State, no_usage, turn_of

KEY = "answer_key"

log = logging.getLogger(__name__)


async def key_of(messages: Sequence[AnyMessage], run: Run) -> str | None:
    """Return what an answer to a thread's question is kept under; None where none is.

    Args:
        messages: the thread.
        run: the run.
    """
    context = run.context
    first = all(isinstance(message, HumanMessage) for message in messages)
    if run.answers is None or context.owner is None or not first:
        return None
    parts = [
        context.model_dump(mode="json", exclude={"answer_cache"}),
        run.default_model,
        [system_prompt(run.persona, run.tools, json_plans=plans) for plans in (False, True)],
        [[tool.shown, await tool.version() if tool.version else None] for tool in run.tools],
        [message.content for message in messages],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


async def recalled(key: str, run: Run) -> State | None:
    """Return the turn that is kept under a key, as the update of a thread, if there is one."""
    assert run.answers is not None, "there is a key only where answers are kept"
    try:
        kept = await run.answers.find(key)
    except AnswersUnavailable as error:
        log.warning("the question is asked anew: %s", error)
        return None
    if kept is None:
        return None
    messages: list[Any] = messages_from_dict(kept["messages"])
    return State(
        messages=messages,
        plan=kept["plan"],
        sources=kept["sources"],
        usage={**no_usage(), "reused": True},
        flags=messages[-1].response_metadata.get("flags", []),
    )


async def keep(state: State, update: State, run: Run) -> None:
    """Keep the answer that a node's update ends a turn with, if it can be given again.

    Args:
        state: the thread as the node was given it.
        update: the node's update.
        run: the run.
    """
    said: Any = update["messages"]
    if isinstance(said, Overwrite):  # the turn before was cut off, so this is not a first question's
        return
    turn = [*turn_of(state["messages"]), *said]
    key = next((m.response_metadata[KEY] for m in turn if KEY in m.response_metadata), None)
    whole: State = {**state, **update}
    if key is None or run.context.owner is None or run.answers is None or not _can_be_repeated(turn, whole, run):
        return
    kept = {
        "messages": messages_to_dict([_bare(message) for message in turn]),
        "plan": [{**step, "started": None, "ended": None} for step in whole["plan"]],
        "sources": whole["sources"],
    }
    thread = get_config()["configurable"].get("thread_id")
    try:
        await run.answers.keep(key, run.context.owner, thread, kept, run.context.answer_cache)
    except AnswersUnavailable as error:
        log.warning("an answer is not kept: %s", error)


def mark(update: State, key: str) -> None:
    """Note in the first message of a turn what its answer is to be kept under.

    The message stays the same object: reads that run ahead last as long as it does.
    """
    update["messages"][0].response_metadata[KEY] = key


def _can_be_repeated(turn: Sequence[AnyMessage], state: State, run: Run) -> bool:
    last = turn[-1]
    if not isinstance(last, AIMessage) or last.tool_calls or last.invalid_tool_calls:
        return False
    if {"degraded", "broken_off"} & last.response_metadata.keys():
        return False
    tools = [run.tools.get(step["tool"]) for step in state["plan"]]
    return all(step["status"] == "finished" for step in state["plan"]) and all(
        tool is not None and (tool.version or tool.writes_reply) for tool in tools
    )


def _bare(message: AnyMessage) -> BaseMessage:
    """Return a message without what belongs to the call that it came from: its id, its usage and its key."""
    metadata = {name: value for name, value in message.response_metadata.items() if name != KEY}
    bare = {"id": None, "response_metadata": metadata}
    return message.model_copy(update=bare | ({"usage_metadata": None} if isinstance(message, AIMessage) else {}))
