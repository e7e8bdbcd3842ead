from __future__ import annotations

import asyncio

import pytest

from agent.checkpoints import open_checkpointer
from agent.errors import SettingsError
from agent.settings import Settings
from graphs.assistant import build
from tests.graphs.test_durability import PLAN, cut_off, cut_off_before_the_answer
from tests.graphs.test_turns import THREAD, ask
from tests.support import postgres
from tests.support.forked_thread import histories, talked
from tests.support.model_server import Reply
from tests.support.shop import Shop


@pytest.fixture(scope="module")
def address():
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.serve() as url:
        yield url


async def test_a_thread_in_postgresql_goes_on_and_resumes_without_repeating(address, model_server):
    settings = Settings(
        model="compatible:scripted", base_url=model_server.url, database_url=address, approvals={"*": "never"}
    )
    shop = Shop()
    model_server.will("Hello!", PLAN, "All done.")
    async with open_checkpointer(settings) as checkpointer:
        graph = build(settings=settings, tools=shop.tools, checkpointer=checkpointer)
        await graph.ainvoke(ask("hi"), THREAD)
        await cut_off(graph, shop)
    shop.hold.set()
    async with open_checkpointer(settings) as checkpointer:
        graph = build(settings=settings, tools=shop.tools, checkpointer=checkpointer)
        state = await graph.ainvoke(None, THREAD)
    assert [m.type for m in state["messages"]] == ["human", "ai", "human", "ai", "tool", "tool", "tool", "ai"]
    assert state["messages"][-1].text == "All done."
    assert shop.runs == {"order": 1, "price": 1, "slow": 2}


async def test_a_turn_in_postgresql_that_is_cut_off_behind_its_steps_is_answered_when_it_goes_on(
    model_server, monkeypatch
):
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    model_server.will(Reply(calls=[("order", {"order_id": 7})]), "All done.")
    with postgres.serve() as url:
        settings = Settings(model="compatible:scripted", base_url=model_server.url, database_url=url)
        state = await cut_off_before_the_answer(settings, Shop(), monkeypatch)
    assert state["messages"][-1].text == "All done."


async def test_processes_that_start_at_once_over_an_empty_database_all_come_up():
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")

    async def come_up(settings):
        async with open_checkpointer(settings) as saver:
            return await saver.aget_tuple(THREAD)

    with postgres.serve() as url:
        assert await asyncio.gather(*map(come_up, [Settings(database_url=url)] * 4)) == [None] * 4


async def test_an_address_nobody_listens_at_is_said_without_the_password():
    settings = Settings(database_url="postgresql://me:secret-word@127.0.0.1:9/none")
    with pytest.raises(SettingsError, match="PostgreSQL cannot be reached") as raised:
        async with asyncio.timeout(30), open_checkpointer(settings):
            pass
    assert "secret-word" not in str(raised.value)


async def test_every_checkpoint_has_the_history_that_langgraph_finds(address):
    async with open_checkpointer(Settings(database_url=address)) as saver:
        await talked(saver)

        found = await histories(saver)

    assert all(ours == langgraphs for ours, langgraphs in found)
    snapshots = sum("seed" in ours["messages"] for ours, _ in found)
    assert 5 < snapshots < len(found) - 5, "some histories begin with a snapshot, and some do not"
