"""What a turn costs: recorded as it happens, held to its budgets, and answered all the same where they are spent."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import select

from agent.budgets import Budgets, KeyBudget, Limit
from agent.context import Context
from agent.ledger.ledger import Ledger
from agent.ledger.records import Wanted, Who, total
from agent.ledger.tables import calls
from agent.prices import Price
from agent.settings import Settings
from agent.state import Passage
from graphs import react
from graphs.assistant import build
from tests.support.model_server import Reply
from tools.effects import reads

MODEL = "compatible:scripted"
THREAD = {"configurable": {"thread_id": "t"}}
PLAN = Reply(calls=[("stock", {"sku": "A"})])


@reads
@tool
def stock(sku: str) -> int:
    """Pieces in the warehouse."""
    return 14


@reads
@tool
def search(query: str) -> list[Passage]:
    """Search the documents."""
    return [Passage(document="a.md", title="Returns", uri="a.md", text="Within 30 days.", score=1.0)]


def ask(text):
    return {"messages": [("user", text)]}


@pytest.fixture
def settings(model_server, tmp_path):
    def given(**values):
        prices = {MODEL: Price(input=1.0, cached=0.1, output=10.0)}
        fixed = {"model": MODEL, "base_url": model_server.url, "data_dir": tmp_path / "data", "prices": prices}
        return Settings(**fixed | values)

    return given


async def used(settings, by="node"):
    return await Ledger(settings).used(Wanted(by))


async def test_every_call_is_on_record_when_the_turn_has_ended(model_server, settings):
    chosen = settings()
    graph = build(settings=chosen, tools=[stock], checkpointer=InMemorySaver())
    model_server.will(PLAN, "14.")
    state = await graph.ainvoke(ask("stock?"), THREAD, context=Context(owner="ann", persona="tutor"))
    usage = state["usage"]
    assert [(call["node"], call["round"], call["model"]) for call in usage["calls"]] == [
        ("planner", 1, MODEL),
        ("responder", 2, MODEL),
    ]
    assert usage["cost"] == pytest.approx((usage["input"] * 1.0 + usage["output"] * 10.0) / 1e6)
    together = total(await used(chosen))
    assert (together.calls, together.input, together.cost) == (2, usage["input"], pytest.approx(usage["cost"]))
    keys = {by: [each.key for each in await used(chosen, by)] for by in ("owner", "persona", "thread", "model", "turn")}
    question = state["messages"][0].id
    assert keys == {"owner": ["ann"], "persona": ["tutor"], "thread": ["t"], "model": [MODEL], "turn": [question]}


def test_synchronous_callers_leave_the_same(model_server, settings):
    chosen = settings()
    model_server.will(PLAN, "14.")
    build(settings=chosen, tools=[stock]).invoke(ask("stock?"))
    assert {each.key: each.calls for each in Ledger(chosen).store().used(Wanted("node"))} == {
        "planner": 1,
        "responder": 1,
    }


async def test_the_agent_loop_is_recorded_and_limited_too(model_server, settings):
    chosen = settings(budgets=Budgets(thread=Limit(tokens=12_000)))
    graph = react.build(settings=chosen, tools=[stock], checkpointer=InMemorySaver())
    model_server.will(PLAN, "14.")

    async def answer(question):
        modes = ["messages", "values"]  # streamed, as the scripted model only answers so
        states = [
            data async for mode, data in graph.astream(ask(question), THREAD, stream_mode=modes) if mode == "values"
        ]
        return states[-1]["messages"][-1].text

    assert await answer("stock?") == "14."
    [node] = await used(chosen)
    assert (node.key, node.calls) == ("model", 2)
    assert (await answer("x" * 12_000)).startswith("The budget of this thread is spent")


async def test_a_reply_that_is_of_no_use_has_been_paid_for(model_server, settings):
    chosen = settings()
    model_server.will(Reply(" "), "Hi.")
    state = await build(settings=chosen).ainvoke(ask("hi"))
    assert [call["node"] for call in state["usage"]["calls"]] == ["planner", "planner"]
    assert total(await used(chosen)).calls == 2


async def test_a_plan_that_failed_its_check_is_paid_for_although_no_model_replies_after_it(model_server, settings):
    model_server.will(Reply(calls=[("no_such_tool", {})]), Reply(status=400))
    state = await build(settings=settings()).ainvoke(ask("hi"))
    assert "No model could answer" in state["messages"][-1].text
    assert len(state["usage"]["calls"]) == 1


async def test_a_spent_turn_is_answered_from_what_is_there(model_server, settings):
    chosen = settings(budgets=Budgets(turn=Limit(tokens=9_000)))
    graph = build(settings=chosen, tools=[search])
    model_server.will(Reply(calls=[("search", {"query": "x" * 5_000})]))
    state = await graph.ainvoke(ask("How long?"))
    answer = state["messages"][-1].text
    assert answer.startswith("The budget of this turn is spent: ")
    assert "A new question has it afresh." in answer
    assert "> Within 30 days.\n\nReturns [1]" in answer
    spent = state["usage"]["spent"]
    assert (spent["scope"], spent["unit"], spent["limit"], spent["free"]) == ("turn", "tokens", 9_000, None)
    assert len(model_server.requests) == 1


async def test_a_spent_person_gets_what_a_search_finds_and_is_told_when_it_is_free_again(model_server, settings):
    chosen = settings(budgets=Budgets(owner=Limit(cost=0.02)))
    graph = build(settings=chosen, tools=[search])
    model_server.will(Reply("word " * 1_500))
    await graph.ainvoke(ask("Talk."), context=Context(owner="ann"))
    state = await graph.ainvoke(ask("How long?"), context=Context(owner="ann"))
    answer = state["messages"][-1].text
    assert answer.startswith("Your budget for today is spent: $0.01")
    assert "It is free again on 20" in answer
    assert "Within 30 days." in answer
    model_server.will("Hi.")
    other = await graph.ainvoke(ask("hi"), context=Context(owner="bob"))
    assert other["messages"][-1].text == "Hi."


async def test_under_a_budget_in_money_a_model_of_unknown_price_is_not_asked(model_server, settings):
    chosen = settings(budgets=Budgets(day=Limit(cost=100.0)), prices={})
    state = await build(settings=chosen).ainvoke(ask("hi"))
    assert state["messages"][-1].text.startswith(f"{MODEL} is not asked: its price is not known")
    assert state["usage"]["spent"]["scope"] == "day"


async def test_what_was_spent_without_a_known_price_keeps_a_budget_in_money_shut(model_server, settings):
    model_server.will("Hi.")
    unknown = await build(settings=settings(prices={})).ainvoke(ask("hi"))
    assert unknown["usage"]["cost"] is None
    state = await build(settings=settings(budgets=Budgets(day=Limit(cost=100.0)))).ainvoke(ask("hi"))
    assert "the price of 1 of its calls is not" in state["messages"][-1].text


async def test_a_model_that_keeps_to_the_budget_answers_in_the_place_of_one_that_does_not(model_server, settings):
    prices = {MODEL: Price(input=1000.0, output=1000.0), "compatible:cheap": Price(input=0.1, output=0.1)}
    chosen = settings(budgets=Budgets(turn=Limit(cost=0.05)), prices=prices, fallbacks=["compatible:cheap"])
    model_server.will("Hi.")
    state = await build(settings=chosen).ainvoke(ask("hi"))
    assert [call["model"] for call in state["usage"]["calls"]] == ["compatible:cheap"]
    assert state["usage"]["spent"] is None


async def test_a_refused_request_gives_back_what_was_reserved_for_it(model_server, settings):
    chosen = settings(budgets=Budgets(owner=Limit(tokens=14_000)))
    graph = build(settings=chosen)
    for _ in range(4):
        model_server.will(Reply(status=400))
        state = await graph.ainvoke(ask("hi"))
        assert "HTTP 400" in state["messages"][-1].text


@pytest.mark.parametrize("streamed", [False, True], ids=["before its first word", "within its reply"])
async def test_a_call_that_is_cancelled_stays_charged_with_what_it_may_have_used(model_server, settings, streamed):
    chosen = settings(budgets=Budgets(owner=Limit(tokens=20_000, cost=1.0)))
    reply = Reply("word " * 10, gate=threading.Event())
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    if not streamed:
        model_server.first_token = 60.0
        reply.check = lambda body: loop.call_soon_threadsafe(started.set)
    model_server.will(reply)

    async def read():
        async for _ in build(settings=chosen).astream(ask("hi"), context=Context(owner="ann"), stream_mode="messages"):
            started.set()

    reading = asyncio.create_task(read())
    await started.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    reply.gate.set()
    await loop.shutdown_default_executor()  # the record is on its way
    with Ledger(chosen).store()._engine.connect() as db:
        [call] = db.execute(select(calls))
    assert call.open_until is None
    [owner] = Ledger(chosen).store().standing(Who(owner="ann"), chosen.budgets.limits())
    assert (owner.tokens, owner.cost) == (call.most_tokens, call.most_cost)
    assert owner.tokens > 1_000
    [day] = Ledger(chosen).store().used(Wanted())
    assert (day.calls, day.cost) == (1, None)


@pytest.mark.parametrize("kind", [build, react.build], ids=["assistant", "agent loop"])
@pytest.mark.parametrize("made", [True, False], ids=["lost", "never made"])
async def test_a_connection_that_is_lost_stays_charged_and_one_that_was_never_made_does_not(
    model_server, settings, kind, made
):
    chosen = settings(budgets=Budgets(owner=Limit(tokens=100_000)))
    if made:
        model_server.will(Reply("Hi.", cut=0))
    else:
        chosen = chosen.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    with suppress(Exception):  # the agent loop's, which has no other answer
        _ = [each async for each in kind(settings=chosen).astream(ask("hi"), stream_mode="messages")]
    await asyncio.get_running_loop().shutdown_default_executor()
    [owner] = Ledger(chosen).store().standing(Who(), chosen.budgets.limits())
    assert (owner.tokens > 0) is made


async def test_chatgpt_may_write_no_more_than_is_reserved_for_it(model_server, settings):
    chosen = settings(
        model="openai:gpt-6-luna",
        OPENAI_API_KEY="sk-test",
        OPENAI_BASE_URL=model_server.url,
        budgets=Budgets(turn=Limit(cost=0.05)),
    )
    model_server.will("Hi.")
    state = await build(settings=chosen).ainvoke(ask("hi"))
    assert model_server.requests[0]["max_output_tokens"] == 8192
    assert 0 < state["usage"]["cost"] < 0.001


@pytest.mark.parametrize(
    "asked", [Budgets(), Budgets(turn=Limit(tokens=10**9)), Budgets(turn=Limit(cost=5.0), day=Limit(tokens=10**9))]
)
def test_nobody_raises_a_budget_that_the_operator_set(asked):
    settings = Settings(budgets=Budgets(turn=Limit(tokens=500), day=Limit(tokens=900)))
    budgets = Context(budgets=asked).over(settings.layer()).budgets
    assert (budgets.turn.tokens, budgets.day.tokens) == (500, 900)
    lowered = Context(budgets=Budgets(turn=Limit(tokens=100))).over({"budgets": asked}, settings.layer()).budgets
    assert lowered.turn.tokens == 100


async def test_a_key_has_a_budget_of_its_own(model_server, settings):
    graph = build(settings=settings())
    for key, limit in (("k1", 100), ("k2", None)):
        model_server.will(*(["Hi."] if limit is None else []))
        context = Context(owner="ann", key_budget=KeyBudget(id=key, tokens=limit))
        answer = (await graph.ainvoke(ask("hi"), context=context))["messages"][-1].text
        assert answer.startswith("Hi." if limit is None else "The budget of your key for today is too small")
