"""Turns of a thread as chat messages: OpenAI's format for supervised fine-tuning, which open trainers read too."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.degraded import is_degraded
from agent.errors import SelfhelpError

ChatMessage = dict[str, Any]


class NotUsable(SelfhelpError):
    """A thread that no example can be made of. The message says why."""


@dataclass(frozen=True)
class Turn:
    """A question with all that followed it.

    Args:
        question: the person's message.
        replies: what the model wrote and what its calls returned, in order.
    """

    question: HumanMessage
    replies: Sequence[AnyMessage]

    @property
    def answer(self) -> AIMessage | None:
        """The answer, if the turn came to one."""
        last = self.replies[-1] if self.replies else None
        return last if isinstance(last, AIMessage) and not (last.tool_calls or last.invalid_tool_calls) else None


def turns_of(messages: Sequence[AnyMessage]) -> Iterator[Turn]:
    """Yield the turns of a thread."""
    starts = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    for start, end in zip(starts, [*starts[1:], len(messages)], strict=True):
        question = messages[start]
        assert isinstance(question, HumanMessage), "a turn starts with a person's message"
        yield Turn(question, messages[start + 1 : end])


def chat_messages(turn: Turn, *, good: bool, correction: str, pseudo: Collection[str]) -> list[ChatMessage]:
    """Return a turn as chat messages.

    What is not to be learnt keeps its place with weight 0: the replies of a turn that nobody liked, a plan all of whose
    calls failed, and what stood in for a model. A plan that was refused or failed and made anew is left out.

    Args:
        turn: the turn.
        good: whether its answer is to be learnt.
        correction: what the answer should have been, if a person wrote that.
        pseudo: names of the tools that write the answer themselves: with a correction their calls are left out.

    Raises:
        NotUsable: the question holds no text, there is no answer, or a call has no result.
    """
    answer = turn.answer
    if answer is None:
        raise NotUsable("a turn has no answer")
    if not str(turn.question.text).strip():
        raise NotUsable("a question holds no text")
    results = {message.tool_call_id: message for message in turn.replies if isinstance(message, ToolMessage)}
    dropped = pseudo if correction else ()
    plans = [reply for reply in turn.replies if isinstance(reply, AIMessage) and reply is not answer]
    said = [{"role": "user", "content": str(turn.question.text)}]
    for plan in plans:
        if not plan.invalid_tool_calls and (plan is plans[-1] or _worked(plan, results)):
            said += _plan(plan, results, dropped, good=good)
    if not (text := correction or str(answer.text)).strip():
        raise NotUsable("an answer holds no text")
    learnt = good and (bool(correction) or not _stands_in(answer))
    return [*said, {"role": "assistant", "content": text, **_weight(learnt)}]


def numbered(turn: Sequence[ChatMessage], numbers: Iterator[int]) -> list[ChatMessage]:
    """Return a turn's messages with other ids of its calls. Some models give those of earlier turns again.

    Args:
        turn: the messages.
        numbers: gives each call of a thread another number.
    """
    names: dict[str, str] = defaultdict(lambda: f"call_{next(numbers)}")
    renamed = []
    for message in turn:
        own: ChatMessage = {}
        if message["role"] == "tool":
            own = {"tool_call_id": names[message["tool_call_id"]]}
        elif "tool_calls" in message:
            own = {"tool_calls": [{**call, "id": names[call["id"]]} for call in message["tool_calls"]]}
        renamed.append({**message, **own})
    return renamed


def _plan(
    reply: AIMessage, results: Mapping[str, ToolMessage], dropped: Collection[str], *, good: bool
) -> list[ChatMessage]:
    calls = [call for call in reply.tool_calls if call["name"] not in dropped]
    if not calls:
        return []
    if missing := [call["name"] for call in calls if str(call["id"]) not in results]:
        raise NotUsable(f"a call of {missing[0]} has no result")
    answered = [results[str(call["id"])] for call in calls]
    learnt = good and not _stands_in(reply) and _worked(reply, results)
    written = {"content": str(reply.text)} if str(reply.text).strip() else {}
    plan = {"role": "assistant", **written, "tool_calls": [_call(dict(call)) for call in calls], **_weight(learnt)}
    return [plan, *({"role": "tool", "tool_call_id": r.tool_call_id, "content": _result(r)} for r in answered)]


def _worked(plan: AIMessage, results: Mapping[str, ToolMessage]) -> bool:
    """Whether any call of a plan came to a result."""
    answered = [results.get(str(call["id"])) for call in plan.tool_calls]
    return any(result is not None and result.status == "success" for result in answered)


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)}
    return {"id": call["id"], "type": "function", "function": function}


def _result(message: ToolMessage) -> str:
    return str(message.text) if str(message.text).strip() else "(nothing)"


def _stands_in(message: AIMessage) -> bool:
    """Whether a message was not written by a model, or not to its end."""
    return is_degraded(message) or "broken_off" in message.response_metadata


def _weight(learnt: bool) -> dict[str, int]:
    return {} if learnt else {"weight": 0}
