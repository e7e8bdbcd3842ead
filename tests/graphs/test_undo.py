"""Where a plan ends half done, the answer can offer to take the rest back; it is taken back on a person's word alone."""

from __future__ import annotations

import pytest
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.context import Context
from graphs.assistant import build
from tests.support.model_server import Reply
from tools.effects import reads

ASKS = Context(approvals={"*": "always"})
NEVER_ASKS = Context(approvals={"*": "never"})
THREAD = {"configurable": {"thread_id": "1"}}
OFFER = "Call 1 (refund) took effect, and cancel_refund takes it back."


class Till:
    """Writes that keep what they did, one of which fails."""

    def __init__(self) -> None:
        self.done: list[tuple] = []

    @property
    def tools(self):
        @reads
        @tool
        def orders() -> list[int]:
            """List orders."""
            return [7, 404]

        @tool
        def refund(order: int) -> dict:
            """Give money back."""
            if order == 404:
                raise ToolException("no order 404")
            self.done.append(("refund", order))
            return {"id": order + 1}

        @tool
        def cancel_refund(refund: int) -> str:
            """Take a refund back."""
            self.done.append(("cancel_refund", refund))
            return "cancelled"

        @tool
        def notify(text: str) -> str:
            """Write to the customer."""
            raise ToolException("the mail server is away")

        refund.metadata = {"effect": "write", "undo": "cancel_refund"}
        return [orders, refund, cancel_refund, notify]


@pytest.fixture
def till():
    return Till()


@pytest.fixture
def graph(till, settings):
    return build(tools=till.tools, settings=settings, checkpointer=InMemorySaver())


HALF_DONE = Reply(calls=[("refund", {"order": 7}), ("notify", {"text": "hello"})])


def results(body):
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


async def turn(graph, text="Refund order 7 and tell them.", context=NEVER_ASKS):
    return await graph.ainvoke({"messages": [("user", text)]}, THREAD, context=context)


async def decide(graph, *kinds):
    answer = {
        "decisions": [{"type": kind, "message": "done"} if kind == "respond" else {"type": kind} for kind in kinds]
    }
    return await graph.ainvoke(Command(resume=answer), THREAD, context=ASKS)


async def test_the_failure_of_a_later_write_says_what_takes_the_earlier_one_back(graph, till, model_server):
    def told(body):
        done, failed = results(body)
        assert OFFER not in done
        assert OFFER in failed
        assert "Do not take it back before the person has said yes." in failed
        assert "the mail server is away" in failed

    model_server.will(HALF_DONE, Reply(text="Refunded, but not told. Shall I take it back?", check=told))
    await turn(graph)
    assert till.done == [("refund", 7)]


async def test_so_does_its_rejection_and_the_undo_waits_for_consent_when_it_is_wanted(graph, till, model_server):
    model_server.will(
        HALF_DONE,
        Reply(text="Refunded; shall I take it back?", check=lambda body: results(body)[1].index(OFFER)),
        Reply(calls=[("cancel_refund", {"refund": 8})]),
        "Taken back.",
    )
    await turn(graph, context=ASKS)
    await decide(graph, "approve", "reject")
    assert till.done == [("refund", 7)]
    state = await turn(graph, "Yes, undo it.", ASKS)
    [asked] = state["__interrupt__"][0].value["action_requests"]
    assert (asked["name"], asked["args"]) == ("cancel_refund", {"refund": 8})
    assert till.done == [("refund", 7)]
    await decide(graph, "approve")
    assert till.done == [("refund", 7), ("cancel_refund", 8)]


async def test_a_write_that_was_skipped_is_no_more_done_than_one_that_failed(graph, model_server):
    plan = Reply(calls=[("refund", {"order": 7}), ("refund", {"order": 404}), ("notify", {"text": "${2.id}"})])
    model_server.will(plan, Reply(text="Half of it.", check=lambda body: results(body)[2].index(OFFER)))
    await turn(graph)


async def test_the_elements_that_took_effect_before_one_failed_can_be_taken_back(graph, till, model_server):
    plan = Reply(calls=[("orders", {}), ("refund", {"order": "${1[*]}"})])
    model_server.will(plan, Reply(text="Half of it.", check=lambda body: results(body)[1].index("Call 2 (refund)")))
    await turn(graph)
    assert till.done == [("refund", 7)]


@pytest.mark.parametrize(
    "plan",
    [
        [("refund", {"order": 7})],
        [("refund", {"order": 404}), ("notify", {"text": "hello"})],
        [("refund", {"order": 7}), ("calculator", {"expression": "1/0"})],
    ],
)
async def test_nothing_is_offered_where_all_writes_took_effect_or_none_did(graph, model_server, plan):
    def told(body):
        assert "takes it back" not in str(results(body))

    model_server.will(Reply(calls=plan), Reply(text="That is that.", check=told))
    await turn(graph)


async def test_what_a_person_did_otherwise_is_not_offered_to_be_taken_back(graph, model_server):
    model_server.will(HALF_DONE, "So be it.")
    await turn(graph, context=ASKS)
    await decide(graph, "respond", "reject")
    assert "takes it back" not in str(model_server.requests[-1]["messages"])


async def test_a_tool_that_this_run_may_not_call_is_not_offered(graph, model_server):
    model_server.will(HALF_DONE, "Refunded, but not told.")
    await turn(graph, context=NEVER_ASKS.model_copy(update={"tools": ["refund", "notify"]}))
    assert "takes it back" not in str(model_server.requests[-1]["messages"])


async def test_the_prompt_before_the_offer_stays_as_it_was(graph, model_server):
    model_server.will(HALF_DONE, "Shall I take it back?", "As you like.")
    await turn(graph)
    await turn(graph, "No.")
    first, second, third = (body["messages"] for body in model_server.requests)
    assert second[: len(first)] == first
    assert third[: len(second)] == second
