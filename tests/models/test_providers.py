from __future__ import annotations

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.context import Context
from agent.history import remembered
from agent.models.providers import LOCAL_HISTORY_TOKENS, Model

CHAT = GenericFakeChatModel(messages=iter(()))
LOCAL = Model("local", "local", CHAT, "json")


def turn(number, size=100):
    call = {"name": "search", "args": {"query": "x"}, "id": f"c{number}"}
    return [
        HumanMessage(f"question {number}"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("x" * size, tool_call_id=f"c{number}", name="search"),
        AIMessage(f"answer {number}"),
    ]


def test_the_local_model_is_shown_the_latest_whole_turns_that_fit():
    messages = [message for number in range(40) for message in turn(number, 2000)]
    shown = remembered(messages, None, Context(), LOCAL.window)
    assert 4 <= len(shown) < len(messages)
    assert shown[0].type == "human"
    assert shown[-1] is messages[-1]


@pytest.mark.parametrize("size", [100, 100_000])
def test_the_turn_under_way_is_always_shown_whole(size):
    messages = [*turn(1), *turn(2, size)[:3]]
    assert remembered(messages, None, Context(), LOCAL_HISTORY_TOKENS)[-3:] == messages[-3:]


def test_other_models_are_shown_everything():
    messages = [message for number in range(400) for message in turn(number, 2000)]
    window = Model("x", "openai", CHAT, "native").window
    assert remembered(messages, None, Context(), window) == messages
