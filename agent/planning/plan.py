"""A plan: the calls of one reply, numbered, and the check they pass before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage

from agent.errors import SelfhelpError
from agent.planning.parameters import Schema, fitted, map_scalars
from agent.planning.references import Reference, UnresolvedReference, find, parse, substitute
from agent.toolset import Toolset

# Models that have lost the thread repeat a call until they run out of tokens.
MOST_CALLS = 64


class FanOutTooWide(SelfhelpError):
    """A call that would run more often than the limit allows."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call of a plan.

    Args:
        number: place in the reply, from 1.
        id: id of the tool call.
        tool: name of the tool.
        args: arguments as the model wrote them.
    """

    number: int
    id: str
    tool: str
    args: dict[str, Any]

    @property
    def references(self) -> list[Reference]:
        """The references in the arguments."""
        return list(find(self.args))

    @property
    def depends(self) -> frozenset[int]:
        """Numbers of the calls whose results this one uses."""
        return frozenset(reference.call for reference in self.references)

    def problems(self, tools: Toolset) -> Iterator[str]:
        """Yield what is wrong with the call, as far as it shows before it runs."""
        tool = tools.get(self.tool)
        if tool is None:
            yield f"there is no tool {self.tool!r}; the tools are {', '.join(tools.names)}"
            return
        for reference in self.references:
            if reference.call >= self.number:
                yield f"{reference.text} is not the result of an earlier call: this is call {self.number}"
        yield from tool.problems(self.args)


def calls_in(message: AIMessage) -> list[Call]:
    """Return the well-formed calls of a reply, numbered in order."""
    return [
        Call(number, str(call["id"]), call["name"], call["args"])
        for number, call in enumerate(message.tool_calls, start=1)
    ]


def check(message: AIMessage, tools: Toolset) -> dict[str, str]:
    """Check the plan in a reply.

    Args:
        message: the model's reply with its tool calls.
        tools: the tools of the run.

    Returns:
        What is wrong, by id of the call. Empty when the plan may run.
    """
    calls = calls_in(message)
    if len(calls) > MOST_CALLS:
        reason = f"a plan has at most {MOST_CALLS} calls, and this one {len(calls)}: [*] runs one for every element"
        return dict.fromkeys((call.id for call in calls), reason)
    wrong = {call.id: "; ".join(call.problems(tools)) for call in calls}
    for invalid in message.invalid_tool_calls:
        wrong[str(invalid["id"])] = f"the arguments of {invalid['name']} are not a JSON object, or nested too deeply"
    for call in calls[:-1]:
        tool = tools.get(call.tool)
        if tool and tool.writes_reply:
            wrong[call.id] = f"{call.tool} must be the last call"
    return {call_id: problem for call_id, problem in wrong.items() if problem}


def resolve(args: Mapping[str, Any], parameters: Schema, results: Mapping[int, Any], limit: int) -> Any:
    """Put results in the place of references.

    A reference with `[*]` where the tool takes a single value fans the call out: the arguments become a list of
    arguments, one for each element. Several such references go through their elements side by side.

    Args:
        args: arguments as the model wrote them.
        parameters: JSON schema of the tool's parameters.
        results: result by call number.
        limit: the most elements.

    Returns:
        The arguments, or a list of them for a call that fans out.

    Raises:
        UnresolvedReference: a result has no such part, or lists that go side by side differ in length.
        FanOutTooWide: more elements than the limit.
    """
    spreading = _spreading(args, parameters)
    if not spreading:
        return _substituted(args, parameters, results)
    elements = list(_elements(args, parameters, results, limit))
    if len(elements) > limit:
        raise FanOutTooWide(f"{spreading[0].text} would run the call {len(elements)} times; the limit is {limit}")
    return elements


def _elements(
    args: Mapping[str, Any], parameters: Schema, results: Mapping[int, Any], limit: int
) -> Iterator[dict[str, Any]]:
    spreading = _spreading(args, parameters)
    if not spreading:
        yield _substituted(args, parameters, results)
        return
    length = _common_length(spreading, results)
    if length > limit:
        raise FanOutTooWide(f"{spreading[0].text} would run the call {length} times; the limit is {limit}")
    for index in range(length):
        element = map_scalars(args, parameters, partial(_with_index, index=index))
        yield from _elements(element, parameters, results, limit)


def _spreading(args: Mapping[str, Any], parameters: Schema) -> list[Reference]:
    texts: list[str] = []

    def collect(text: str) -> str:
        texts.append(text)
        return text

    map_scalars(args, parameters, collect)
    return [reference for text in texts for reference in parse(text) if reference.spreads]


def _common_length(references: Sequence[Reference], results: Mapping[int, Any]) -> int:
    lengths = {}
    for reference in references:
        text = reference.text[: reference.text.index("[*]")] + "}"
        lengths[text] = len(next(parse(text[:-1] + "[*]}")).value(results))
    if len(set(lengths.values())) > 1:
        described = ", ".join(f"{text} has {length}" for text, length in lengths.items())
        raise UnresolvedReference(f"the lists that this call goes through side by side differ in length: {described}")
    return next(iter(lengths.values()))


def _with_index(text: str, index: int) -> str:
    for reference in parse(text):
        if reference.spreads:
            text = text.replace(reference.text, reference.text.replace("[*]", f"[{index}]", 1))
    return text


def _substituted(args: Mapping[str, Any], parameters: Schema, results: Mapping[int, Any]) -> dict[str, Any]:
    resolved: dict[str, Any] = fitted(substitute(args, lambda reference: reference.value(results)), parameters)
    return resolved
