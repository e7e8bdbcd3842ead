"""The structural rules of one training example: chat messages, tools, tool calls and their results.

They are those of OpenAI's supervised fine-tuning, which open trainers share, and stricter where a slip would be learnt:
every call is answered, and its arguments are valid for its tool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

MOST_TOOLS = 128

_KEYS = {"messages", "tools", "parallel_tool_calls"}
_MESSAGE_KEYS = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "weight"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def problems_of(example: object) -> Iterator[str]:
    """Yield what is wrong with an example."""
    if not isinstance(example, Mapping):
        yield "it is not a JSON object"
        return
    if unknown := sorted(map(str, example.keys() - _KEYS)):
        yield f"it has keys that do not belong there: {', '.join(unknown)}"
    tools: dict[str, Mapping[str, Any]] = {}
    yield from _tool_problems(example, tools)
    messages = example.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "messages is missing, empty or not a list"
        return
    for number, message in enumerate(messages, 1):
        for problem in _message_problems(message, tools):
            yield f"message {number}: {problem}"
    if all(isinstance(message, Mapping) for message in messages):
        yield from _order_problems(messages)


def _tool_problems(example: Mapping[str, Any], known: dict[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the tools, and collect their parameters by name."""
    tools = example.get("tools", [])
    if "tools" in example and (not isinstance(tools, list) or not tools):
        yield "tools is empty or not a list: leave it out"
        return
    if len(tools) > MOST_TOOLS:
        yield f"there are {len(tools)} tools: at most {MOST_TOOLS} are possible"
    for number, tool in enumerate(tools, 1):
        function = tool.get("function") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
        if not isinstance(function, Mapping):
            yield f'tool {number}: it is not {{"type": "function", "function": {{…}}}}'
            continue
        name, parameters = function.get("name"), function.get("parameters", {"type": "object"})
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"tool {number}: its name {name!r} is not 1 to 64 letters, digits, _ or -"
            continue
        if name in known:
            yield f"tool {number}: there is another tool {name}"
        known[name] = {}
        if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
            yield f"tool {number}: the parameters of {name} are not the schema of an object"
            continue
        try:
            Draft202012Validator.check_schema(parameters)
        except SchemaError as error:
            yield f"tool {number}: the parameters of {name} are no JSON schema: {error.message}"
            continue
        known[name] = parameters
    parallel = example.get("parallel_tool_calls")
    if "parallel_tool_calls" in example and not (isinstance(parallel, bool) and tools):
        yield "parallel_tool_calls is true or false, and only stands beside tools"


def _message_problems(message: object, tools: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not isinstance(message, Mapping):
        yield "it is not a JSON object"
        return
    role = message.get("role")
    if not isinstance(role, str) or role not in _MESSAGE_KEYS:
        yield f"its role {role!r} is none of {', '.join(_MESSAGE_KEYS)}"
        return
    if unknown := sorted(map(str, message.keys() - _MESSAGE_KEYS[role])):
        yield f"keys that do not belong in a message of {role}: {', '.join(unknown)}"
    if "name" in message and not (isinstance(message["name"], str) and _NAME.fullmatch(message["name"])):
        yield "its name is not 1 to 64 letters, digits, _ or -"
    yield from _content_problems(message)
    if role == "tool" and not (isinstance(message.get("tool_call_id"), str) and message["tool_call_id"]):
        yield "it has no tool_call_id"
    weight = message.get("weight", 1)
    if role == "assistant" and (type(weight) is not int or weight not in (0, 1)):
        yield "its weight is neither 0 nor 1"
    if "tool_calls" in message and role == "assistant":
        yield from _call_problems(message["tool_calls"], tools)


def _content_problems(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if content is None and message["role"] == "assistant" and message.get("tool_calls"):
        return
    if isinstance(content, list):
        if not all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
            yield "its content has parts that are not text"
            return
        content = "".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str):
        yield "its content is missing or not a text"
    elif not content.strip():
        yield "its content is empty"


def _call_problems(calls: object, tools: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not isinstance(calls, list) or not calls:
        yield "tool_calls is empty or not a list: leave it out"
        return
    for number, call in enumerate(calls, 1):
        function = call.get("function") if isinstance(call, Mapping) and call.get("type") == "function" else None
        if not isinstance(function, Mapping):
            yield f'call {number}: it is not {{"id", "type": "function", "function": {{…}}}}'
            continue
        if not (isinstance(call.get("id"), str) and call["id"]):
            yield f"call {number}: it has no id"
        name = function.get("name")
        if not isinstance(name, str) or name not in tools:
            yield f"call {number}: there is no tool {name!r} among its tools"
            continue
        if problem := _argument_problem(function.get("arguments"), tools[name]):
            yield f"call {number} of {name}: {problem}"


def _argument_problem(arguments: object, parameters: Mapping[str, Any]) -> str | None:
    if not isinstance(arguments, str):
        return "its arguments are not a JSON text"
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        return f"its arguments are not valid JSON: {error}"
    if not isinstance(given, dict):
        return "its arguments are not a JSON object"
    try:
        # With a registry of its own, a reference to elsewhere is not fetched.
        misfit = best_match(Draft202012Validator(parameters, registry=Registry()).iter_errors(given))
    except (Unresolvable, re.error, RecursionError) as unusable:
        return f"its tool's parameters cannot be used: {unusable}"
    if misfit is None:
        return None
    place = ".".join(map(str, misfit.absolute_path))
    return f"its arguments do not fit: {f'{place}: ' if place else ''}{misfit.message[:300]}"


def _order_problems(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    roles = [message.get("role") for message in messages]
    for number, role in enumerate(roles[1:], 2):
        if role in ("system", "developer"):
            yield f"message {number}: a message of {role} only stands first"
    first = next((place for place, role in enumerate(roles, 1) if role not in ("system", "developer")), 0)
    if not first or roles[first - 1] != "user":
        yield f"message {first or 1}: the conversation begins with a message of user"
    yield from _answer_problems(messages)
    if roles[-1] != "assistant":
        yield f"message {len(messages)}: the last message is not the assistant's"
    said = [message for message in messages if message.get("role") == "assistant"]
    if said and all(message.get("weight") == 0 for message in said):
        yield "nothing is learnt: every message of the assistant has weight 0"


def _answer_problems(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield where calls and results do not match: every call gets one result, before anything else is said."""
    seen: set[str] = set()
    waiting: list[str] = []
    for number, message in enumerate(messages, 1):
        if message.get("role") == "tool":
            answered = message.get("tool_call_id")
            if answered in waiting:
                waiting.remove(str(answered))
            else:
                yield f"message {number}: no open call has the id {answered!r}"
            continue
        if waiting:
            yield f"message {number}: calls before it have no result: {', '.join(waiting)}"
        waiting = _ids(message)
        if again := [each for place, each in enumerate(waiting) if each in seen or each in waiting[:place]]:
            yield f"message {number}: calls have the ids of other calls: {', '.join(again)}"
        seen.update(waiting)
    if waiting:
        yield f"message {len(messages)}: its calls have no result: {', '.join(waiting)}"


def _ids(message: Mapping[str, Any]) -> list[str]:
    calls = message.get("tool_calls") if message.get("role") == "assistant" else None
    return [str(call.get("id")) for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
