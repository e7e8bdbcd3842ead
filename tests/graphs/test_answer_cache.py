"""Answers that are given again: when, to whom, and when not."""

from __future__ import annotations

import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

from agent.answer_store import ANSWERS_FILE, AnswerStore
from agent.context import Context
from agent.knowledge.base import KnowledgeBase
from agent.settings import Settings
from graphs.assistant import build
from tests.support.documents import write
from tests.support.model_server import Reply
from tests.support.postgres import serve
from tests.support.shop import Shop

ANN = Context(owner="ann", answer_cache=10)
SEARCH = Reply(calls=[("search", {"query": "returns"}), ("calculator", {"expression": "2 * 15"})])
ANSWER = "Within 30 days [1]."


@pytest.fixture
async def base(tmp_path):
    base = await KnowledgeBase.open(tmp_path / "knowledge", None)
    write(tmp_path / "docs", {"returns.md": "# Returns\n\nReturns are free within 30 days.\n"})
    await base.index(tmp_path / "docs")
    yield base
    await base.close()


@pytest.fixture
def graph(settings, base):
    return build(settings=settings, knowledge=base, tools=Shop().tools, checkpointer=InMemorySaver())


async def ask(graph, text="returns?", context=ANN, thread="1"):
    config = {"configurable": {"thread_id": thread}}
    return await graph.ainvoke({"messages": [HumanMessage(text)]}, config, context=context)


async def test_the_same_first_question_is_answered_again_without_a_model(graph, model_server):
    model_server.will(SEARCH, ANSWER)
    first = await ask(graph)
    again = await ask(graph, thread="2")
    assert len(model_server.requests) == 2
    assert again["messages"][-1].text == ANSWER
    assert again["sources"] == first["sources"] != []
    assert [step["tool"] for step in again["plan"]] == ["search", "calculator"]
    assert (first["usage"]["reused"], again["usage"]["reused"]) == (False, True)
    assert (again["usage"]["calls"], again["usage"]["cost"]) == ([], 0.0)
    assert {m.id for m in first["messages"]}.isdisjoint(m.id for m in again["messages"])


async def test_an_answer_that_is_given_again_brings_its_flags(graph, model_server):
    model_server.will(SEARCH, "Within 77 days [1].")
    first = await ask(graph)
    again = await ask(graph, thread="2")
    assert [flag["text"] for flag in again["flags"]] == ["77 days"]
    assert again["flags"] == first["flags"]


async def test_the_thread_goes_on_from_an_answer_that_was_given_again(graph, model_server):
    model_server.will(SEARCH, ANSWER, "Still 30 days [1].")
    await ask(graph)
    await ask(graph, thread="2")
    state = await ask(graph, "sure?", thread="2")
    assert state["sources"][0]["text"].endswith("within 30 days.")
    assert state["usage"]["reused"] is False


async def test_an_answer_that_is_given_again_is_streamed_whole_and_once(graph, model_server):
    model_server.will(SEARCH, ANSWER)
    await ask(graph)
    config = {"configurable": {"thread_id": "2"}}
    said = [
        message.text
        async for message, _ in graph.astream(
            {"messages": [HumanMessage("returns?")]}, config, context=ANN, stream_mode="messages"
        )
        if message.type in ("ai", "AIMessageChunk") and message.text
    ]
    assert said == [ANSWER]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Returns?", {}),
        ("returns?", {"owner": "bob"}),
        ("returns?", {"owner": None}),
        ("returns?", {"persona": "tutor"}),
        ("returns?", {"model": "compatible:other"}),
        ("returns?", {"tools": ["search"]}),
        ("returns?", {"collection": "other"}),
        ("returns?", {"temperature": 0.5}),
        ("returns?", {"answer_cache": 0}),
    ],
)
async def test_another_question_person_or_setting_asks_anew(graph, model_server, text, other):
    model_server.will(SEARCH, ANSWER, "Anew.")
    await ask(graph)
    state = await ask(graph, text, ANN.model_copy(update=other), "2")
    assert state["messages"][-1].text == "Anew."


async def test_models_that_are_handed_in_are_told_apart(settings, base, model_server):
    def chat(temperature):
        return ChatOpenAI(
            model="scripted",
            base_url=model_server.url,
            api_key="none",
            use_responses_api=False,
            temperature=temperature,
        )

    graphs = [build(settings=Settings(data_dir=settings.data_dir), model=chat(t), knowledge=base) for t in (0, 0, 1)]
    model_server.will("Hello.", "Hello anew.")
    assert [(await ask(graph, "hi"))["messages"][-1].text for graph in graphs] == ["Hello.", "Hello.", "Hello anew."]


async def test_documents_that_the_person_sees_make_it_ask_anew_and_those_of_others_do_not(
    graph, model_server, base, tmp_path
):
    model_server.will(SEARCH, ANSWER, "Anew.")
    await ask(graph)
    write(tmp_path / "bobs", {"secret.md": "# Secret\n\nBob's own.\n"})
    await base.index(tmp_path / "bobs", owner="bob")
    assert (await ask(graph, thread="2"))["usage"]["reused"]
    write(tmp_path / "docs", {"returns.md": "# Returns\n\nReturns are free within 14 days.\n"})
    await base.index(tmp_path / "docs")
    assert (await ask(graph, thread="3"))["messages"][-1].text == "Anew."


@pytest.mark.parametrize(
    "calls",
    [
        [("cancel_order", {"order_id": 7})],
        [("clock", {})],
        [("order", {"order_id": 7})],
        [("calculator", {"expression": "1 / 0"})],
    ],
    ids=["write", "time", "tool that says nothing", "failed"],
)
async def test_a_turn_that_did_more_than_read_documents_is_not_kept(graph, model_server, calls):
    model_server.will(Reply(calls=calls), "Done.", Reply(calls=calls), "Done again.")
    await ask(graph)
    assert (await ask(graph, thread="2"))["messages"][-1].text == "Done again."


async def test_later_questions_of_a_thread_are_asked_anew(graph, model_server):
    model_server.will("Hello.", "And again hello.")
    await ask(graph, "hi")
    assert (await ask(graph, "hi"))["messages"][-1].text == "And again hello."


async def test_an_answer_without_a_model_is_not_kept(graph, model_server):
    model_server.will(Reply(status=400), "Hello.")
    await ask(graph)
    assert (await ask(graph, thread="2"))["messages"][-1].text == "Hello."


async def test_what_the_plan_itself_answers_is_kept_too(graph, model_server):
    model_server.will(Reply(calls=[("calculator", {"expression": "2 * 3"}), ("reply", {"text": "It is ${1}."})]))
    await ask(graph, "2 * 3?")
    again = await ask(graph, "2 * 3?", thread="2")
    assert (again["messages"][-1].text, again["usage"]["reused"]) == ("It is 6.", True)


async def test_only_the_latest_of_an_owner_are_kept(graph, model_server):
    few = ANN.model_copy(update={"answer_cache": 2})
    model_server.will("1", "2", "3", "1 anew")
    for number in range(1, 4):
        await ask(graph, f"question {number}", few, str(number))
    assert (await ask(graph, "question 3", few, "4"))["messages"][-1].text == "3"
    assert (await ask(graph, "question 1", few, "5"))["messages"][-1].text == "1 anew"


async def test_a_store_that_cannot_be_used_costs_no_answer(graph, model_server, settings):
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / ANSWERS_FILE).mkdir()
    model_server.will("Hello.")
    assert (await ask(graph, "hi"))["messages"][-1].text == "Hello."


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    if request.param == "sqlite":
        yield AnswerStore(Settings(data_dir=tmp_path))
        return
    with serve() as address:
        yield AnswerStore(Settings(data_dir=tmp_path, database_url=address))


async def test_answers_are_found_bounded_and_forgotten_with_their_thread(store):
    await store.forget("t1")
    for number in range(4):
        await store.keep(f"ann{number}", "ann", f"t{number}", {"text": "é\ud800\0", "number": number}, 2)
    await store.keep("bob", "bob", "t9", {}, 2)
    await store.keep("ann3", "ann", "t3", {"number": 3.5}, 2)
    found = {key: await store.find(key) for key in ("ann0", "ann1", "ann2", "ann3", "bob")}
    expected = {"text": "é\ud800\0", "number": 2}
    assert found == {"ann0": None, "ann1": None, "ann2": expected, "ann3": {"number": 3.5}, "bob": {}}
    await store.forget("t2")
    assert await store.find("ann2") is None
    assert await store.find("bob") == {}
