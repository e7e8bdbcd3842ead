"""Who is asked before which write: by HTTP method and by persona, beside the tool's name."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from agent.consent import needs_consent
from agent.context import Context
from agent.toolset import BoundTool
from graphs.assistant import build
from tests.support.model_server import Reply

PERSONA = """---
name: clerk
approvals: {drop_order: always, "*": never}
---
You are a clerk.
"""
THREAD = {"configurable": {"thread_id": "1"}}


@tool
def drop_order(order: int) -> str:
    """Drop an order."""
    return "dropped"


def operation(method, **more):
    bound = drop_order.model_copy(update={"metadata": {"operation": f"{method} /orders/{{id}}", **more}})
    return BoundTool(bound)


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ({}, {"DELETE": True, "POST": True}),
        ({"DELETE": "always", "*": "never"}, {"DELETE": True, "POST": False}),
        ({"POST": "never"}, {"DELETE": True, "POST": False}),
        ({"DELETE": "always", "drop_*": "never"}, {"DELETE": False, "POST": False}),
        ({"DELETE": "never", "drop_order": "always"}, {"DELETE": True, "POST": True}),
    ],
)
def test_a_method_goes_before_the_rest_and_behind_what_names_the_tool(policy, asked):
    assert {method: needs_consent(operation(method), policy) for method in asked} == asked


def test_a_read_is_never_asked_about():
    assert not needs_consent(operation("GET", effect="read"), {"drop_order": "always", "GET": "always"})


@pytest.mark.parametrize(
    ("context", "asked"),
    [
        (Context(), False),
        (Context(persona="clerk"), True),
        (Context(persona="clerk", approvals={"*": "never"}), False),
    ],
)
async def test_a_persona_s_wish_goes_before_the_settings_and_behind_the_run_s(settings, model_server, context, asked):
    settings.data_dir.mkdir()
    (settings.data_dir / "clerk.md").write_text(PERSONA)
    settings = settings.model_copy(update={"personas_dir": settings.data_dir})
    model_server.will(Reply(calls=[("drop_order", {"order": 7})]), *([] if asked else ["Dropped."]))
    graph = build(tools=[drop_order], settings=settings, checkpointer=InMemorySaver())
    state = await graph.ainvoke({"messages": [("user", "Drop order 7.")]}, THREAD, context=context)
    assert ("__interrupt__" in state) == asked
