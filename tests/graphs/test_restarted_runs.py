"""A server whose process died begins a run again from its input, under its old id: the run goes on where it was."""

from __future__ import annotations

import asyncio
import threading

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.types import Command

from agent.checkpoints import open_checkpointer
from agent.context import Context
from graphs.assistant import build
from tests.graphs.test_turns import ask
from tests.support.model_server import Reply
from tests.support.shop import Shop

PLAN = Reply(calls=[("order", {"order_id": 7}), ("price", {"sku": "${1.lines[0].sku}"}), ("slow", {"text": "${2}"})])


def run(name):
    """What a LangGraph server runs a thread with, whether for the first time or again."""
    return {"configurable": {"thread_id": "1", "run_id": name}, "run_id": name}


FIRST = run("00000000-0000-0000-0000-000000000001")
SECOND = run("00000000-0000-0000-0000-000000000002")


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
async def graph(settings, shop):
    async with open_checkpointer(settings) as checkpointer:
        yield build(settings=settings, tools=shop.tools, checkpointer=checkpointer)


@pytest.fixture
async def graph_with_pay(settings, shop):
    paid = []

    @tool
    def pay(euros: int) -> str:
        """Pay."""
        paid.append(euros)
        return "paid"

    async with open_checkpointer(settings) as checkpointer:
        yield build(settings=settings, tools=[*shop.tools, pay], checkpointer=checkpointer), paid


async def cut_off(graph, config, reached, asked=None, context=None):
    running = asyncio.create_task(graph.ainvoke(asked or ask("go"), config, context=context))
    async with asyncio.timeout(60):
        while not await reached():
            await asyncio.sleep(0.01)
    # Where a piece of a reply arrives at the same moment, Python 3.11's wait_for forgets that it was cancelled.
    while not running.done():
        running.cancel()
        await asyncio.wait([running], timeout=1)
    assert running.cancelled()


def finished_steps(graph, count, shop):
    """Whether so many steps have finished, and the next one hangs."""

    async def reached():
        checkpoint = await graph.checkpointer.aget_tuple(FIRST)
        writes = checkpoint.pending_writes if checkpoint else ()
        return sum(channel == "__return__" for _, channel, _ in writes) >= count and shop.runs["slow"]

    return reached


def requests(model_server, count):
    async def reached():
        return len(model_server.requests) >= count

    return reached


def questions(state):
    return [message.text for message in state["messages"] if isinstance(message, HumanMessage)]


async def test_a_run_that_died_among_its_steps_runs_only_those_that_had_not_finished(graph, shop, model_server):
    model_server.will(PLAN, "All done.")
    await cut_off(graph, FIRST, finished_steps(graph, 2, shop))
    shop.hold.set()
    state = await graph.ainvoke(ask("go"), FIRST)
    assert state["messages"][-1].text == "All done."
    assert shop.runs == {"order": 1, "price": 1, "slow": 2}
    assert questions(state) == ["go"]
    assert [step["status"] for step in state["plan"]] == ["finished"] * 3


async def test_a_run_that_died_while_it_answered_answers_from_its_results(graph, shop, model_server):
    shop.hold.set()
    model_server.will(PLAN, Reply(text="Never told.", gate=(held := threading.Event())), "All done.")
    await cut_off(graph, FIRST, requests(model_server, 2))
    held.set()
    state = await graph.ainvoke(ask("go"), FIRST)
    assert (state["messages"][-1].text, questions(state)) == ("All done.", ["go"])
    assert shop.runs == {"order": 1, "price": 1, "slow": 1}


async def test_a_run_that_died_before_its_plan_plans_and_the_question_stands_once(graph, shop, model_server):
    shop.hold.set()
    model_server.will("Hello.", Reply(text="Never told.", gate=(held := threading.Event())), PLAN, "All done.")
    await graph.ainvoke(ask("hi"), SECOND)
    await cut_off(graph, FIRST, requests(model_server, 2))
    held.set()
    state = await graph.ainvoke(ask("go"), FIRST)
    assert (state["messages"][-1].text, questions(state)) == ("All done.", ["hi", "go"])


async def test_a_run_that_dies_at_every_node_goes_on_each_time(graph, shop, model_server):
    planning, answering = threading.Event(), threading.Event()
    model_server.will(Reply(text="No.", gate=planning), PLAN, Reply(text="No.", gate=answering), "All done.")
    await cut_off(graph, FIRST, requests(model_server, 1))
    planning.set()
    await cut_off(graph, FIRST, finished_steps(graph, 2, shop))
    shop.hold.set()
    await cut_off(graph, FIRST, requests(model_server, 3))
    answering.set()
    state = await graph.ainvoke(ask("go"), FIRST)
    assert (state["messages"][-1].text, questions(state)) == ("All done.", ["go"])
    assert shop.runs == {"order": 1, "price": 1, "slow": 2}


async def test_a_run_that_had_ended_is_not_run_again(graph, shop, model_server):
    shop.hold.set()
    model_server.will(PLAN, "All done.")
    ended = await graph.ainvoke(ask("go"), FIRST)
    again = await graph.ainvoke(ask("go"), FIRST)
    assert again["messages"] == ended["messages"]


async def test_the_same_words_in_another_run_are_another_question(graph, model_server):
    model_server.will("One.", "Two.")
    await graph.ainvoke(ask("go"), FIRST)
    state = await graph.ainvoke(ask("go"), SECOND)
    assert (state["messages"][-1].text, questions(state)) == ("Two.", ["go", "go"])


@pytest.mark.parametrize("approvals", ["never", "always"])
async def test_a_write_that_took_effect_is_neither_sent_nor_asked_about_again(
    graph_with_pay, shop, model_server, approvals
):
    graph, paid = graph_with_pay
    context = Context(approvals={"*": approvals})
    model_server.will(Reply(calls=[("pay", {"euros": 5}), ("slow", {"text": "${1}"})]), "Paid.")
    asked, config = ask("pay"), FIRST
    if approvals == "always":
        waiting = await graph.ainvoke(asked, FIRST, context=context)
        assert waiting["__interrupt__"]
        asked, config = Command(resume={"decisions": [{"type": "approve"}]}), SECOND
    await cut_off(graph, config, finished_steps(graph, 1, shop), asked, context)
    shop.hold.set()
    state = await graph.ainvoke(asked, config, context=context)
    assert (state["messages"][-1].text, paid) == ("Paid.", [5])
    assert "__interrupt__" not in state
