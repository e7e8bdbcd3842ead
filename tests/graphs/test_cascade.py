"""The cascade: a small model is asked first, and what it writes reaches nobody before it is judged."""

from __future__ import annotations

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from agent.cascade import coverage
from agent.context import Context
from graphs.assistant import build
from tests.graphs.test_history import passages
from tests.support.model_server import Reply
from tests.support.shop import Shop

THREAD = {"configurable": {"thread_id": "t"}}
CASCADE = Context(cascade="compatible:small")
SEARCH = Reply(calls=[("search", {"query": "returns"})])


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def graph(settings, shop):
    tools = [passages("Returns are free within 30 days."), *shop.tools]
    return build(settings=settings, tools=tools, checkpointer=InMemorySaver())


async def turn(graph, context=CASCADE):
    """Return what a person reads as it streams, and the state at the end."""
    said, state = [], None
    stream = graph.astream(
        {"messages": [HumanMessage("returns?")]}, THREAD, context=context, stream_mode=["messages", "values"]
    )
    async for mode, data in stream:
        if mode == "values":
            state = data
        elif data[0].type in ("AIMessageChunk", "ai") and data[0].text:
            said.append(data[0].text)
    return said, state


def asked(state):
    return [(call["node"], call["model"].removeprefix("compatible:")) for call in state["usage"]["calls"]]


async def test_a_small_model_that_does_well_is_the_only_one_asked(graph, model_server):
    model_server.will(SEARCH, "They are free for 30 days [1].")
    said, state = await turn(graph)
    assert asked(state) == [("planner", "small"), ("responder", "small")]
    assert said == ["They are free for 30 days [1]."], "its answer comes once, and whole"
    assert [source["number"] for source in state["sources"]] == [1]


@pytest.mark.parametrize(
    "poor",
    [
        "They are free. You have 30 days. We look forward to it [1].",
        "I do not know that.",
        "I’m afraid our documents don't say [1].",
        "Das weiß ich leider nicht.",
    ],
)
async def test_an_answer_that_refuses_or_cites_too_little_is_replaced_before_anybody_reads_it(
    graph, model_server, poor
):
    model_server.will(SEARCH, poor, "Free for 30 days [1].")
    said, state = await turn(graph)
    assert asked(state) == [("planner", "small"), ("responder", "small"), ("responder", "scripted")]
    assert "".join(said) == "Free for 30 days [1]." == state["messages"][-1].text
    assert len(said) > 1, "the answer of the larger model streams"
    assert poor not in str(model_server.requests[-1]["messages"])
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]


async def test_a_plan_that_fails_its_check_is_made_anew_by_the_larger_model_which_then_answers(
    graph, model_server, shop
):
    wrong = Reply(calls=[("order", {"order_id": 7}), ("prize", {"sku": "A"})])
    model_server.will(wrong, Reply(calls=[("price", {"sku": "A"})]), "12.50.")
    _, state = await turn(graph)
    assert asked(state) == [("planner", "small"), ("planner", "scripted"), ("responder", "scripted")]
    assert [step["tool"] for step in state["plan"]] == ["price"]
    assert "prize" not in str(model_server.requests[1]["messages"])


async def test_a_small_model_that_cannot_be_reached_costs_no_answer(graph, model_server):
    model_server.will(Reply(status=400), "Hello!")
    _, state = await turn(graph)
    assert state["messages"][-1].text == "Hello!"
    assert asked(state) == [("planner", "scripted")]


async def test_the_next_turn_begins_with_the_small_model_again(graph, model_server):
    model_server.will("I do not know.", "Hello!", "Hi.")
    await turn(graph)
    _, state = await turn(graph)
    assert asked(state) == [("planner", "small")]


async def test_without_a_cascade_one_model_is_asked_and_streams(graph, model_server):
    model_server.will("I do not know that.")
    said, state = await turn(graph, None)
    assert asked(state) == [("planner", "scripted")]
    assert len(said) > 1


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("", 1.0),
        ("Free [1]. And quick [2].", 1.0),
        ("Free. [1] And quick.", 0.5),
        ("It costs 4.90 EUR and ships in 3.5 days [1, 2].", 1.0),
        ("- Free [1]\n- Quick\n- Cheap\n- Good [2]", 0.5),
        ("Am 1. Mai ist zu [1].", 1.0),
        ("## Returns\n\nFree [1].\n\n```\nreturn 0\n```", 1.0),
    ],
)
def test_coverage_counts_sentences(answer, share):
    assert coverage(answer) == share
