"""The baseline: the same tools, and a person's consent before each write."""

from __future__ import annotations

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.context import Context
from graphs.react import build
from tests.graphs.test_turns import THREAD, ask
from tests.support.model_server import Reply

ASKED = Context(approvals={"*": "always"})


@pytest.fixture
def paid():
    return []


@pytest.fixture
def graph(settings, paid):
    @tool
    def pay(euros: int) -> str:
        """Pay."""
        paid.append(euros)
        return f"paid {euros}"

    return build(settings=settings, tools=[pay], checkpointer=InMemorySaver())


async def turn(graph, given, context=None):
    """The model is streamed where somebody listens to its tokens."""
    async for mode, data in graph.astream(given, THREAD, context=context, stream_mode=["values", "messages"]):
        if mode == "values":
            state = data
    return state


@pytest.mark.parametrize(
    ("decision", "done", "told"),
    [
        ({"type": "approve"}, [5], "paid 5"),
        ({"type": "edit", "edited_action": {"name": "pay", "args": {"euros": 3}}}, [3], "paid 3"),
        ({"type": "reject", "message": "too much"}, [], "a person rejected this: too much"),
        ({"type": "reject"}, [], "a person rejected this"),
        ({"type": "respond", "message": "it is free"}, [], "it is free"),
    ],
)
async def test_a_write_waits_for_a_person(graph, model_server, paid, decision, done, told):
    model_server.will(Reply(calls=[("pay", {"euros": 5})]), "Done.")
    waiting = await turn(graph, ask("pay"), ASKED)
    assert waiting["__interrupt__"][0].value["action_requests"][0]["args"] == {"euros": 5}
    assert paid == []
    state = await turn(graph, Command(resume={"decisions": [decision]}), ASKED)
    [result] = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert (paid, result.text, state["messages"][-1].text) == (done, told, "Done.")


async def test_what_is_approved_beforehand_is_not_asked_about(graph, model_server, paid):
    model_server.will(Reply(calls=[("pay", {"euros": 5})]), "Done.")
    state = await turn(graph, ask("pay"))
    assert (paid, state["messages"][-1].text) == ([5], "Done.")
