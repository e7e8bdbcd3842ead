"""Flags in the assistant's graph: of every way to an answer, in the state, as an event, and kept with the message."""

from __future__ import annotations

import json

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from agent.context import Context
from agent.grounding.flags import NOWHERE, UNSUPPORTED
from agent.state import Passage
from graphs.assistant import build
from tests.support.model_server import Reply
from tests.support.shop import Shop
from tools.effects import reads

THREAD = {"configurable": {"thread_id": "t"}}
SIXTY = {"kind": "number", "text": "60 days", "detail": NOWHERE}
TEXTS = ["You can return an item within 30 days of delivery.", "Items can be returned within 14 days of delivery."]


def found(place, text):
    return Passage(document=f"{place}.md", title="Returns", uri=f"{place}.md", text=text)


def search_over(texts):
    @tool
    def search(query: str) -> list[Passage]:
        """Find passages."""
        return [found(place, text) for place, text in enumerate(texts)]

    return reads(search)


@pytest.fixture
def graph(settings):
    return build(settings=settings, tools=[search_over(TEXTS[:1]), *Shop().tools], checkpointer=InMemorySaver())


def ask(text):
    return {"messages": [HumanMessage(text)]}


SEARCH = Reply(calls=[("search", {"query": "returns"})])


async def test_an_answer_over_passages_is_flagged_in_state_event_and_message(graph, model_server):
    model_server.will(SEARCH, "Within 60 days [1].")
    events = [
        data
        async for mode, data in graph.astream(ask("how long?"), THREAD, stream_mode=["custom", "values"])
        if mode == "custom" and data["type"] == "flags"
    ]
    state = (await graph.aget_state(THREAD)).values
    assert state["flags"] == [SIXTY]
    assert events == [{"type": "flags", "flags": [SIXTY]}]
    assert state["messages"][-1].response_metadata["flags"] == [SIXTY]


async def test_flags_are_of_the_latest_turn(graph, model_server):
    model_server.will(SEARCH, "Within 60 days [1].", "You are welcome!")
    await graph.ainvoke(ask("how long?"), THREAD)
    state = await graph.ainvoke(ask("thanks"), THREAD)
    assert state["flags"] == []


async def test_what_was_flagged_once_does_not_bear_itself_out(graph, model_server):
    model_server.will(SEARCH, "Within 60 days [1].", "As I said, within 60 days [1].")
    await graph.ainvoke(ask("how long?"), THREAD)
    assert (await graph.ainvoke(ask("sure?"), THREAD))["flags"] == [SIXTY]


async def test_an_answer_without_any_search_says_that_it_rests_on_nothing(graph, model_server):
    model_server.will("You can return it at any time.")
    state = await graph.ainvoke(ask("how long can I return it?"), THREAD)
    assert state["flags"] == [{"kind": "unsupported", "text": "", "detail": UNSUPPORTED}]


async def test_a_plan_that_writes_the_answer_itself_is_flagged(graph, model_server):
    model_server.will(Reply(calls=[("order", {"order_id": 7}), ("reply", {"text": "Order ${1.id} costs 99 EUR."})]))
    state = await graph.ainvoke(ask("order 7?"), THREAD)
    assert state["messages"][-1].text == "Order 7 costs 99 EUR."
    assert state["flags"] == [{"kind": "number", "text": "99 EUR", "detail": NOWHERE}]


async def test_a_plan_of_nothing_but_an_answer_rests_on_nothing(graph, model_server):
    model_server.will(Reply(calls=[("reply", {"text": "You can return it at any time."})]))
    state = await graph.ainvoke(ask("how long can I return it?"), THREAD)
    assert state["flags"] == [{"kind": "unsupported", "text": "", "detail": UNSUPPORTED}]


async def test_an_answer_in_json_is_flagged(graph, model_server):
    model_server.will(json.dumps({"steps": [{"tool": "search", "args": {"query": "returns"}}]}))
    model_server.will(json.dumps({"answer": "Within 60 days [1]."}))
    state = await graph.ainvoke(ask("how long?"), THREAD, context=Context(protocol="json"))
    assert state["messages"][-1].text == "Within 60 days [1]."
    assert state["flags"] == [SIXTY]


async def test_passages_that_differ_are_told_to_the_model_and_flagged(settings, model_server):
    graph = build(settings=settings, tools=[search_over(TEXTS)])
    model_server.will(SEARCH, "Within 30 days [1]; another page says 14 days [2].")
    state = await graph.ainvoke(ask("how long?"))
    [result] = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert result.text.endswith("\n\nNote: [1] and [2] differ: 30 days against 14 days.")
    assert result.text in json.dumps(model_server.requests[1], ensure_ascii=False).encode().decode("unicode_escape")
    assert [flag["detail"] for flag in state["flags"]] == ["[1] says 30 days, [2] says 14 days"]


async def test_what_is_not_wished_is_not_flagged(settings, model_server):
    graph = build(settings=settings, tools=[search_over(TEXTS)])
    model_server.will(SEARCH, "Within 60 days [1].")
    state = await graph.ainvoke(ask("how long?"), context=Context(flags=False))
    assert state["flags"] == []
    assert "Note" not in state["messages"][-2].text


async def test_the_notice_of_an_answer_that_breaks_off_is_not_flagged(graph, model_server):
    model_server.will(SEARCH, Reply("Within 30 days [1], and then some more words", cut=6))
    state = await graph.ainvoke(ask("how long?"), THREAD)
    assert "breaks off" in state["messages"][-1].text
    assert state["flags"] == []
