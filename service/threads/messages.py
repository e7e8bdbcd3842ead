"""A thread's messages as a person reads them: a question and its answer, with tool calls folded into the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, Field

from agent.citations import CitationCheck
from agent.planning.plan import calls_in
from agent.state import Flag, Source, Step, Usage, sources_of, turn_of


class Feedback(BaseModel):
    """What a person thinks of an answer."""

    thumb: Literal["up", "down"] | None = Field(None, description="Good or bad.", examples=["up"])
    comment: str = Field("", description="Why.", examples=["It names the right page."])
    correction: str = Field("", description="What the answer should have been.", examples=["30 days, not 14."])


class Message(BaseModel):
    """A message of a person, or the assistant's answer with what it did for it."""

    id: str = Field(description="Id of the message.", examples=["3f6c1d"])
    role: Literal["user", "assistant"] = Field(description="Whose it is.", examples=["assistant"])
    text: str = Field(description="The text, in Markdown.", examples=["Within 30 days [1]."])
    at: float | None = Field(None, description="When, in seconds since 1970, if known.", examples=[1790000000.0])
    plan: list[Step] = Field(default_factory=list, description="The tool calls that were made.", examples=[[]])
    sources: list[Source] = Field(default_factory=list, description="The passages it cites.", examples=[[]])
    usage: Usage | None = Field(None, description="Tokens and cost, where they are known.", examples=[None])
    degraded: str | None = Field(
        None, description="Why the answer is less than it should be.", examples=["the model cannot be reached"]
    )
    flags: list[Flag] = Field(default_factory=list, description="What in the answer nothing bears out.", examples=[[]])
    feedback: Feedback | None = Field(None, description="What its reader thinks of it.", examples=[None])


def messages_of(values: Mapping[str, Any]) -> list[Message]:
    """Return the messages of a thread.

    Args:
        values: the thread's state. It holds plan and usage of the latest turn only: for those before, steps are read
            from the messages.
    """
    messages: Sequence[AnyMessage] = values.get("messages", ())
    found = list(_messages(messages))
    if found and found[-1].role == "assistant" and messages and _has_begun(messages):
        latest = {"plan": values.get("plan"), "sources": values.get("sources"), "usage": values.get("usage")}
        found[-1] = found[-1].model_copy(update={name: value for name, value in latest.items() if value is not None})
    return found


def _has_begun(messages: Sequence[AnyMessage]) -> bool:
    """Whether plan and usage of the state are of the latest question yet, and not of the one before."""
    return bool(turn_of(messages))


def _messages(messages: Sequence[AnyMessage]) -> Iterator[Message]:
    known = sources_of(messages)
    for of_person, group in groupby(messages, lambda message: isinstance(message, HumanMessage)):
        said = list(group)
        if of_person:
            yield from (Message(id=str(message.id), role="user", text=str(message.text)) for message in said)
        else:
            yield _answer(said, known)


def _answer(turn: Sequence[AnyMessage], known: Mapping[int, Source]) -> Message:
    replies = [message for message in turn if isinstance(message, AIMessage)]
    last = replies[-1] if replies else turn[-1]
    text = str(last.text) if replies and not replies[-1].tool_calls else ""
    check = CitationCheck(known.keys())
    text = check.feed(text) + check.finish()
    return Message(
        id=str(last.id),
        role="assistant",
        text=text,
        plan=_steps(turn, replies),
        sources=[known[number] for number in check.cited],
        degraded=last.response_metadata.get("degraded") or last.response_metadata.get("broken_off"),
        flags=last.response_metadata.get("flags", []),
    )


def _steps(turn: Sequence[AnyMessage], replies: Sequence[AIMessage]) -> list[Step]:
    results = {message.tool_call_id: message for message in turn if isinstance(message, ToolMessage)}
    plans = [reply for reply in replies if reply.tool_calls]
    return [
        _step(call.id, call.number, round_number, call.tool, call.args, results.get(call.id))
        for round_number, plan in enumerate(plans, 1)
        for call in calls_in(plan)
    ]


def _step(
    call_id: str, number: int, round_number: int, tool: str, args: dict[str, Any], result: ToolMessage | None
) -> Step:
    failed = result is not None and result.status == "error"
    return Step(
        id=call_id,
        number=number,
        round=round_number,
        tool=tool,
        args=args,
        resolved=None,
        status="planned" if result is None else "failed" if failed else "finished",
        error=str(result.text) if result is not None and failed else None,
        started=None,
        ended=None,
    )
