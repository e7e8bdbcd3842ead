"""What an open model learns of an example: each message of the assistant, behind the prompt that led to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from agent.errors import SelfhelpError

# Writes messages as a model's prompt: messages, tools, and whether the assistant is to speak next.
Template = Callable[[Sequence[Mapping[str, Any]], Sequence[Any] | None, bool], str]


class TemplateUnusable(SelfhelpError):
    """A chat template that writes a conversation otherwise once the assistant has spoken."""


def samples(example: Mapping[str, Any], template: Template) -> Iterator[tuple[str, str]]:
    """Yield prompt and completion of each message of the assistant that is to be learnt.

    A message is a sample of its own, so that templates which write earlier messages otherwise (without their
    reasoning, for instance) are learnt as they are used.

    Args:
        example: a valid example.
        template: the model's chat template.

    Raises:
        TemplateUnusable: the template does not begin with the prompt.
    """
    messages = [_for_template(message) for message in example["messages"]]
    tools = example.get("tools")
    for place, message in enumerate(example["messages"]):
        if message["role"] != "assistant" or message.get("weight") == 0:
            continue
        prompt = template(messages[:place], tools, True)
        whole = template(messages[: place + 1], tools, False)
        if not whole.startswith(prompt):
            raise TemplateUnusable("the model's chat template does not go on from its prompt: choose another model")
        yield prompt, whole.removeprefix(prompt)


def _for_template(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as templates expect it: arguments are objects there, not texts, and content is never missing."""
    fields = {"content": "", **{key: value for key, value in message.items() if key != "weight"}}
    if calls := message.get("tool_calls"):
        fields["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
            for call in calls
        ]
    return fields
