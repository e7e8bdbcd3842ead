"""Writes wait for a person: what is asked, what each decision does, and that nothing finished runs again."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import ValidationError

from agent.context import Context
from graphs.assistant import build
from tests.support.model_server import Reply
from tools.effects import reads

ASKS = Context(approvals={"*": "always"})


class Desk:
    """A shop that keeps what was done to it."""

    def __init__(self) -> None:
        self.done: list[tuple] = []

    @property
    def tools(self):
        @reads
        @tool
        def order(number: int) -> dict:
            """Look an order up."""
            self.done.append(("order", number))
            return {"number": number, "total": 30.5, "lines": [{"sku": "A"}, {"sku": "B"}]}

        @tool
        def refund(number: int, amount: float) -> dict:
            """Give money back."""
            self.done.append(("refund", number, amount))
            return {"refund": f"R{number}", "amount": amount}

        @tool
        def reserve(sku: str) -> str:
            """Put something aside."""
            self.done.append(("reserve", sku))
            return f"{sku} reserved"

        @tool
        def notify(text: str) -> str:
            """Write to the customer."""
            self.done.append(("notify", text))
            return "sent"

        return [order, refund, reserve, notify]


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def graph(desk, settings):
    return build(tools=desk.tools, settings=settings, checkpointer=InMemorySaver())


THREAD = {"configurable": {"thread_id": "1"}}
LOOK_UP_AND_REFUND = Reply(
    calls=[("order", {"number": 7}), ("refund", {"number": "${1.number}", "amount": "${1.total}"})]
)


async def turn(graph, context=ASKS):
    return await graph.ainvoke({"messages": [("user", "Refund order 7.")]}, THREAD, context=context)


async def decide(graph, *decisions, context=ASKS):
    return await graph.ainvoke(Command(resume={"decisions": list(decisions)}), THREAD, context=context)


def request_of(state):
    [asked] = state["__interrupt__"]
    return asked.value


async def test_a_write_waits_with_its_references_resolved_and_runs_when_approved(graph, desk, model_server):
    model_server.will(LOOK_UP_AND_REFUND, "Refunded.")
    state = await turn(graph)
    assert request_of(state) == {
        "action_requests": [
            {
                "name": "refund",
                "args": {"number": 7, "amount": 30.5},
                "description": 'refund({"number": 7, "amount": 30.5})',
            }
        ],
        "review_configs": [{"action_name": "refund", "allowed_decisions": ["approve", "edit", "reject"]}],
    }
    assert desk.done == [("order", 7)]
    state = await decide(graph, {"type": "approve"})
    assert desk.done == [("order", 7), ("refund", 7, 30.5)]
    assert state["messages"][-1].text == "Refunded."
    assert [step["status"] for step in state["plan"]] == ["finished", "finished"]


async def test_an_edited_write_runs_as_it_was_edited_and_the_model_is_told(graph, desk, model_server):
    def told(body):
        assert 'A person changed this call before it ran. It ran with {"number": 7, "amount": 10}' in str(
            body["messages"][-1]["content"]
        )

    model_server.will(LOOK_UP_AND_REFUND, Reply(text="Refunded 10.", check=told))
    await turn(graph)
    edited = {"type": "edit", "edited_action": {"name": "refund", "args": {"number": 7, "amount": 10}}}
    state = await decide(graph, edited)
    assert desk.done[1:] == [("refund", 7, 10.0)]
    assert state["plan"][1]["resolved"] == {"number": 7, "amount": 10}


async def test_an_edit_that_the_tool_does_not_take_fails_the_step_and_runs_nothing(graph, desk, model_server):
    model_server.will(LOOK_UP_AND_REFUND, "That did not work.")
    await turn(graph)
    wrong = {"type": "edit", "edited_action": {"name": "refund", "args": {"number": 7, "amount": "much"}}}
    state = await decide(graph, wrong)
    assert len(desk.done) == 1
    assert state["plan"][1]["status"] == "failed"
    assert "amount" in state["plan"][1]["error"]


async def test_a_rejected_write_does_not_run_and_what_depends_on_it_is_skipped(graph, desk, model_server):
    plan = Reply(
        calls=[("refund", {"number": 7, "amount": 1}), ("notify", {"text": "${1.refund}"}), ("order", {"number": 8})]
    )
    model_server.will(plan, "Not refunded.")
    await turn(graph)
    state = await decide(graph, {"type": "reject", "message": "too late"})
    assert desk.done == [("order", 8)]
    assert [(step["status"], step["error"]) for step in state["plan"]] == [
        ("rejected", "a person rejected this: too late"),
        ("skipped", "skipped: step 1 rejected"),
        ("finished", None),
    ]


async def test_what_a_person_responds_is_the_result(graph, desk, model_server):
    model_server.will(LOOK_UP_AND_REFUND, "It was refunded by phone.")
    await turn(graph)
    state = await decide(graph, {"type": "respond", "message": "done by phone"})
    assert len(desk.done) == 1
    assert state["messages"][-2].text == "done by phone"


async def test_one_request_covers_all_writes_that_can_run_and_decisions_are_per_call(graph, desk, model_server):
    plan = Reply(calls=[("reserve", {"sku": "A"}), ("order", {"number": 7}), ("refund", {"number": 7, "amount": 1})])
    model_server.will(plan, "Done.")
    state = await turn(graph)
    assert [action["name"] for action in request_of(state)["action_requests"]] == ["reserve", "refund"]
    assert desk.done == [("order", 7)]
    await decide(graph, {"type": "reject"}, {"type": "approve"})
    assert desk.done == [("order", 7), ("refund", 7, 1.0)]


async def test_a_write_on_the_result_of_a_write_is_asked_about_when_that_is_there(graph, desk, model_server):
    plan = Reply(
        calls=[("refund", {"number": 7, "amount": 1}), ("order", {"number": 7}), ("notify", {"text": "${1.refund}"})]
    )
    model_server.will(plan, "Done.")
    assert [action["name"] for action in request_of(await turn(graph))["action_requests"]] == ["refund"]
    state = await decide(graph, {"type": "approve"})
    assert [action["args"] for action in request_of(state)["action_requests"]] == [{"text": "R7"}]
    state = await decide(graph, {"type": "approve"})
    assert sorted(desk.done) == [("notify", "R7"), ("order", 7), ("refund", 7, 1.0)]
    assert state["messages"][-1].text == "Done."


async def test_an_answer_is_to_the_request_that_was_seen_also_where_the_run_just_goes_on(graph, desk, model_server):
    model_server.will(Reply(calls=[("reserve", {"sku": "A"}), ("notify", {"text": "${1}"})]), "Done.")
    await turn(graph)
    waiting = await decide(graph, {"type": "approve"})
    again = await graph.ainvoke(None, THREAD, context=ASKS)
    assert request_of(again) == request_of(waiting)
    assert desk.done == [("reserve", "A")]
    await decide(graph, {"type": "reject"})
    assert desk.done == [("reserve", "A")]


async def test_a_write_that_fans_out_asks_once_with_every_element(graph, desk, model_server):
    plan = Reply(calls=[("order", {"number": 7}), ("reserve", {"sku": "${1.lines[*].sku}"})])
    model_server.will(plan, "Reserved.")
    [action] = request_of(await turn(graph))["action_requests"]
    assert action["args"] == {"calls": [{"sku": "A"}, {"sku": "B"}]}
    assert action["description"] == 'reserve({"sku": "A"})\n\nreserve({"sku": "B"})'
    only_b = {"type": "edit", "edited_action": {"name": "reserve", "args": {"calls": [{"sku": "B"}]}}}
    for wrong in ({"sku": "B"}, {"calls": "B"}, {"calls": ["B"]}):
        with pytest.raises(ValidationError, match="calls must be a list of arguments"):
            await decide(graph, {"type": "edit", "edited_action": {"name": "reserve", "args": wrong}})
    await decide(graph, only_b)
    assert desk.done == [("order", 7), ("reserve", "B")]


OTHER_TOOL = {"type": "edit", "edited_action": {"name": "notify", "args": {"text": "hello"}}}


@pytest.mark.parametrize(
    "answer",
    [
        {"decisions": []},
        {"decisions": [{"type": "approve"}] * 2},
        {"decisions": [{"type": "maybe"}]},
        {"decisions": [OTHER_TOOL]},
        "yes",
    ],
)
async def test_an_answer_that_does_not_fit_is_refused_and_can_be_given_again(graph, desk, model_server, answer):
    model_server.will(LOOK_UP_AND_REFUND, "Refunded.")
    await turn(graph)
    with pytest.raises(ValidationError):
        await graph.ainvoke(Command(resume=answer), THREAD, context=ASKS)
    await decide(graph, {"type": "approve"})
    assert desk.done == [("order", 7), ("refund", 7, 30.5)]


@pytest.mark.parametrize(
    ("approvals", "asked"),
    [
        ({}, ["refund", "reserve"]),
        ({"refund": "never"}, ["reserve"]),
        ({"re*": "never"}, []),
        ({"*": "never", "refund": "always"}, ["refund"]),
        ({"re*": "never", "reserve": "always"}, ["reserve"]),
    ],
)
async def test_who_is_asked_about_what_can_be_set(desk, settings, model_server, approvals, asked):
    settings = settings.model_copy(update={"approvals": approvals})
    graph = build(tools=desk.tools, settings=settings, checkpointer=InMemorySaver())
    plan = Reply(calls=[("refund", {"number": 7, "amount": 1}), ("reserve", {"sku": "A"})])
    model_server.will(plan, *(["Done."] if not asked else []))
    state = await turn(graph, Context())
    waiting = request_of(state)["action_requests"] if asked else []
    assert [action["name"] for action in waiting] == asked


@pytest.mark.parametrize(
    ("kind", "done"), [("reject", [("order", 8)]), ("approve", [("order", 8), ("refund", 7, 1.0)])]
)
async def test_who_is_asked_is_settled_with_the_plan_whatever_the_policy_is_when_the_answer_comes(
    graph, desk, model_server, kind, done
):
    model_server.will(Reply(calls=[("refund", {"number": 7, "amount": 1}), ("order", {"number": 8})]), "So be it.")
    await turn(graph)
    state = await decide(graph, {"type": kind}, context=Context(approvals={"*": "never"}))
    assert desk.done == done
    assert [step["asks"] for step in state["plan"]] == [True, False]


async def test_a_write_that_runs_unasked_keeps_its_result_where_the_policy_is_another_when_it_goes_on(
    graph, desk, model_server
):
    plan = [("reserve", {"sku": "A"}), ("order", {"number": 7}), ("refund", {"number": 7, "amount": "${2.total}"})]
    model_server.will(Reply(calls=plan), "Done.")
    await turn(graph, Context(approvals={"reserve": "never"}))
    state = await decide(graph, {"type": "approve"}, context=ASKS)
    assert sorted(desk.done) == [("order", 7), ("refund", 7, 30.5), ("reserve", "A")]
    assert [message.text for message in state["messages"][2:3]] == ["A reserved"]


async def test_a_person_who_says_something_else_instead_leaves_the_write_undone(graph, desk, model_server):
    model_server.will(LOOK_UP_AND_REFUND, "All right, nothing was refunded.")
    await turn(graph)
    state = await graph.ainvoke({"messages": [("user", "Never mind.")]}, THREAD, context=ASKS)
    assert desk.done == [("order", 7)]
    assert state["messages"][-1].text == "All right, nothing was refunded."


def test_synchronous_callers_are_asked_too(graph, desk, model_server):
    model_server.will(LOOK_UP_AND_REFUND, "Refunded.")
    state = graph.invoke({"messages": [("user", "Refund order 7.")]}, THREAD, context=ASKS)
    assert request_of(state)["action_requests"][0]["args"] == {"number": 7, "amount": 30.5}
    graph.invoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD, context=ASKS)
    assert desk.done == [("order", 7), ("refund", 7, 30.5)]


async def test_those_who_watch_are_told_once_which_step_waits(graph, model_server):
    model_server.will(LOOK_UP_AND_REFUND, "Refunded.")

    async def told(given):
        stream = graph.astream(given, THREAD, context=ASKS, stream_mode="custom")
        return [(event["tool"], event["status"]) async for event in stream if event["type"] == "step"]

    asked = await told({"messages": [("user", "Refund order 7.")]})
    assert asked == [("order", "started"), ("order", "finished"), ("refund", "waiting")]
    approved = await told(Command(resume={"decisions": [{"type": "approve"}]}))
    assert approved == [("refund", "started"), ("refund", "finished")]
