"""Servers that keep less to OpenAI's ways: no write is lost, done with half its arguments, or given another's result."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool

from agent.checkpoints import open_checkpointer
from graphs.assistant import build
from tests.graphs.test_turns import THREAD, ask
from tests.support.model_server import Reply
from tools.effects import reads


class Account:
    """An account with what was done to it."""

    def __init__(self) -> None:
        self.paid: list[int] = []
        self.hold: asyncio.Event | None = None
        self.started = asyncio.Event()

    @property
    def tools(self):
        @tool
        async def pay(amount: int) -> str:
            """Pay."""
            self.started.set()
            if self.hold:
                await self.hold.wait()
            self.paid.append(amount)
            return f"paid {amount}"

        @reads
        @tool
        async def look(number: int) -> dict:
            """Look something up."""
            return {"number": number}

        return [pay, look]


@pytest.fixture
def account():
    return Account()


@pytest.fixture
async def graph(account, settings):
    async with open_checkpointer(settings) as checkpointer:
        yield build(tools=account.tools, settings=settings, checkpointer=checkpointer)


def call(name, args, index=0, call_id="call_0"):
    function = {"name": name, "arguments": args}
    return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}


def results(state):
    return [message.text for message in state["messages"] if isinstance(message, ToolMessage)]


async def test_a_write_under_the_id_of_an_earlier_one_is_done_too(graph, account, model_server):
    model_server.will(Reply(deltas=[call("pay", '{"amount": 1}')]), "Paid.")
    await graph.ainvoke(ask("1"), THREAD)
    model_server.will(Reply(deltas=[call("pay", '{"amount": 2}')]), "Paid.")
    state = await graph.ainvoke(ask("2"), THREAD)
    assert account.paid == [1, 2]
    assert results(state) == ["paid 1", "paid 2"]
    ids = [call["id"] for message in state["messages"] if isinstance(message, AIMessage) for call in message.tool_calls]
    assert len(set(ids)) == 2


async def test_a_write_under_the_id_of_one_in_another_fork_is_done_too(graph, account, model_server):
    model_server.will("Hello.", Reply(deltas=[call("pay", '{"amount": 1}')]), "Paid.")
    await graph.ainvoke(ask("hi"), THREAD)
    before = (await graph.aget_state(THREAD)).config
    await graph.ainvoke(ask("1"), THREAD)
    model_server.will(Reply(deltas=[call("pay", '{"amount": 2}')]), "Paid.")
    assert results(await graph.ainvoke(ask("2"), before)) == ["paid 2"]
    assert account.paid == [1, 2]


async def test_a_turn_that_was_cut_off_is_not_given_what_another_thread_did_under_the_same_id(
    graph, account, model_server
):
    model_server.will(Reply(deltas=[call("pay", '{"amount": 1}')]), "Paid.")
    await graph.ainvoke(ask("1"), {"configurable": {"thread_id": "another"}})
    account.hold = asyncio.Event()
    account.started.clear()
    model_server.will(Reply(deltas=[call("pay", '{"amount": 2}')]))
    running = asyncio.create_task(graph.ainvoke(ask("2"), THREAD))
    await asyncio.wait_for(account.started.wait(), 20)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    model_server.will("That was cut off.")
    [said] = results(await graph.ainvoke(ask("well?"), THREAD))
    assert "whether it took effect is not known" in said
    assert "paid 1" not in said


async def test_a_write_whose_arguments_break_off_is_not_done(graph, account, model_server):
    model_server.will(Reply(deltas=[call("pay", '{"amount": 10')]), "I could not pay.")
    state = await graph.ainvoke(ask("pay 100"), THREAD)
    assert account.paid == []
    assert "not a JSON object" in results(state)[0]


async def test_calls_that_are_counted_alike_get_their_own_results(graph, model_server):
    calls = [call("look", f'{{"number": {n}}}', index, f"c{n}") for index, n in ((0, 1), (0, 2), (1, 3))]
    model_server.will(Reply(deltas=calls), "Three.")
    state = await graph.ainvoke(ask("which?"), THREAD)
    assert results(state) == ['{"number": 1}', '{"number": 2}', '{"number": 3}']
