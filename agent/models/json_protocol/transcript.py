"""A thread as a model without function calling reads it: calls and results written as text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage


def written(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages with calls, results and instructions that come late written as text.

    Results of one plan, and what is said after them, become one message of the user: many local chat templates admit
    only user and assistant after the first message.
    """
    out: list[BaseMessage] = []
    numbers: dict[str, int] = {}
    for message in messages:
        calls = [*message.tool_calls, *message.invalid_tool_calls] if isinstance(message, AIMessage) else []
        if calls:
            steps = [{"tool": call["name"], "args": call["args"]} for call in calls]
            numbers = {str(call["id"]): number for number, call in enumerate(calls, start=1)}
            out.append(AIMessage(_compact({"steps": steps})))
        elif isinstance(message, ToolMessage):
            reference = f"${{{numbers.get(message.tool_call_id, '?')}}}"
            _say(out, f"Result {reference} of {message.name}:\n{message.text}")
        elif (isinstance(message, SystemMessage) and out) or isinstance(message, HumanMessage):
            _say(out, str(message.text))
        else:
            out.append(message.model_copy(update={"content": str(message.text)}))
    return out


def _compact(value: object) -> str:
    """Write JSON without white space, as the grammar has a local model write it: what it reads is what it wrote."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _say(out: list[BaseMessage], text: str) -> None:
    if out and isinstance(out[-1], HumanMessage):
        out[-1] = HumanMessage(f"{out[-1].text}\n\n{text}")
    else:
        out.append(HumanMessage(text))
