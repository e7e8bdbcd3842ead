"""What a turn costs and does: the promises of the graph, against the scripted model server."""

from __future__ import annotations

import asyncio
import threading
from itertools import pairwise

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from agent.context import Context
from agent.settings import Settings
from agent.state import Passage
from graphs.assistant import build
from tests.support.model_server import Reply
from tests.support.shop import Shop
from tools.effects import reads

THREAD = {"configurable": {"thread_id": "t"}}


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def graph(settings, shop):
    return build(settings=settings, tools=shop.tools, checkpointer=InMemorySaver())


def ask(text):
    return {"messages": [HumanMessage(text)]}


async def test_a_turn_that_needs_no_tool_costs_one_model_call(graph, model_server):
    model_server.will("Hello!")
    state = await graph.ainvoke(ask("hi"), THREAD)
    assert state["messages"][-1].text == "Hello!"
    assert [call["node"] for call in state["usage"]["calls"]] == ["planner"]
    assert state["plan"] == []


async def test_a_chain_costs_two_model_calls_and_keeps_types(graph, model_server, shop):
    model_server.will(
        Reply(
            calls=[
                ("order", {"order_id": 7}),
                ("price", {"sku": "${1.lines[*].sku}"}),
                ("total", {"prices": "${2}"}),
                ("calculator", {"expression": "${3} * 2"}),
            ]
        ),
        "It is 33.",
    )
    state = await graph.ainvoke(ask("total?"), THREAD)
    assert len(model_server.requests) == 2
    assert [step["resolved"] for step in state["plan"]] == [
        {"order_id": 7},
        [{"sku": "A"}, {"sku": "B"}],
        {"prices": [12.5, 4.0]},
        {"expression": "16.5 * 2"},
    ]
    assert [step["status"] for step in state["plan"]] == ["finished"] * 4
    assert [m.content for m in state["messages"] if isinstance(m, ToolMessage)][2:] == ["16.5", "33"]
    assert shop.runs == {"order": 1, "price": 2, "total": 1}


async def test_a_lookup_with_reply_costs_one_model_call(graph, model_server):
    model_server.will(
        Reply(calls=[("order", {"order_id": 7}), ("reply", {"text": "Order ${1.id} of ${1.customer}: $5."})])
    )
    state = await graph.ainvoke(ask("order 7?"), THREAD)
    assert state["messages"][-1].text == "Order 7 of Ada: $5."
    assert len(state["usage"]["calls"]) == 1


async def test_reply_is_not_used_when_a_step_failed(graph, model_server):
    model_server.will(
        Reply(calls=[("order", {"order_id": 404}), ("reply", {"text": "It is ${1.id}."})]), "There is no such order."
    )
    state = await graph.ainvoke(ask("order 404?"), THREAD)
    assert state["messages"][-1].text == "There is no such order."
    assert [step["status"] for step in state["plan"]] == ["failed", "skipped"]


async def test_reply_is_not_used_when_passages_were_found(settings, model_server):
    search = reads(passage_tool("search"))
    graph = build(settings=settings, tools=[search])
    model_server.will(
        Reply(calls=[("search", {"query": "returns"}), ("reply", {"text": "See above."})]), "30 days [1]."
    )
    state = await graph.ainvoke(ask("returns?"))
    assert state["messages"][-1].text == "30 days [1]."


async def test_reads_start_while_the_plan_is_still_streaming(graph, model_server, shop):
    gate = threading.Event()
    model_server.will(Reply(calls=[("order", {"order_id": 7}), ("price", {"sku": "C"})], gate=gate), "done")
    running = asyncio.create_task(graph.ainvoke(ask("go"), THREAD))
    await asyncio.wait_for(shop.order_started.wait(), 60)
    assert not running.done()
    gate.set()
    state = await running
    assert shop.runs["order"] == 1, "the executor takes over what ran ahead"
    assert state["messages"][-1].text == "done"


async def test_writes_do_not_start_before_the_plan_is_checked(graph, model_server, shop):
    model_server.will(Reply(calls=[("cancel_order", {"order_id": 7}), ("nope", {})]), "Sorry.")
    await graph.ainvoke(ask("cancel"), THREAD)
    assert shop.runs["cancel_order"] == 0


async def test_a_failing_step_skips_only_its_dependents(graph, model_server):
    model_server.will(
        Reply(calls=[("order", {"order_id": 404}), ("price", {"sku": "${1.lines[0].sku}"}), ("price", {"sku": "C"})]),
        "Only C is known.",
    )
    state = await graph.ainvoke(ask("prices?"), THREAD)
    assert [step["status"] for step in state["plan"]] == ["failed", "skipped", "finished"]
    answers = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert [(m.status, m.content) for m in answers] == [
        ("error", "no order 404"),
        ("error", "skipped: step 1 failed"),
        ("success", "100.0"),
    ]


async def test_every_call_has_exactly_one_message(graph, model_server):
    model_server.will(
        Reply(calls=[("order", {"order_id": 404}), ("order", {"order_id": "${1.id}"}), ("reply", {"text": "${1}"})]),
        "No.",
    )
    state = await graph.ainvoke(ask("x"), THREAD)
    asked = [call["id"] for m in state["messages"] if isinstance(m, AIMessage) for call in m.tool_calls]
    answered = [m.tool_call_id for m in state["messages"] if isinstance(m, ToolMessage)]
    assert answered == asked


async def test_the_responder_may_ask_for_more_calls(graph, model_server):
    model_server.will(Reply(calls=[("order", {"order_id": 7})]), Reply(calls=[("price", {"sku": "A"})]), "12.50")
    state = await graph.ainvoke(ask("price?"), THREAD)
    assert [(step["round"], step["number"], step["tool"]) for step in state["plan"]] == [
        (1, 1, "order"),
        (2, 1, "price"),
    ]
    assert state["messages"][-1].text == "12.50"


async def test_rounds_are_bounded_and_end_with_an_answer(graph, model_server):
    def must_answer(body):
        assert body["tool_choice"] == "none"
        assert "No more tool calls" in str(body["messages"][-1])

    more = Reply(calls=[("price", {"sku": "A"})])
    model_server.will(more, more, Reply(text="That is what I have.", check=must_answer))
    state = await graph.ainvoke(ask("loop"), THREAD, context=Context(max_rounds=2))
    assert state["messages"][-1].text == "That is what I have."


async def test_a_model_that_keeps_calling_past_the_last_round_still_ends_the_turn(graph, model_server):
    more = Reply(calls=[("price", {"sku": "A"})])
    model_server.will(more, more, more)
    state = await graph.ainvoke(ask("loop"), THREAD, context=Context(max_rounds=1))
    assert "What was looked up" in state["messages"][-1].text
    assert not state["messages"][-1].tool_calls


async def test_a_plan_that_fails_its_check_goes_back_once_and_is_mended(graph, model_server, shop):
    def sees_the_problem(body):
        problems = [m["content"] for m in body["messages"] if m["role"] == "tool"]
        assert problems == ["order_id: Field required", "not run, because another call of the plan is wrong"]

    model_server.will(
        Reply(calls=[("order", {}), ("price", {"sku": "A"})]),
        Reply(calls=[("order", {"order_id": 7})], check=sees_the_problem),
        "Fine.",
    )
    state = await graph.ainvoke(ask("x"), THREAD)
    assert state["messages"][-1].text == "Fine."
    assert [step["status"] for step in state["plan"]] == ["failed", "skipped", "finished"]


async def test_the_first_prompt_is_the_beginning_of_every_later_one(graph, model_server):
    model_server.will(
        Reply(calls=[("order", {"order_id": 7})]), "It is Ada's.", Reply(calls=[("price", {"sku": "A"})]), "12.50"
    )
    await graph.ainvoke(ask("whose?"), THREAD)
    await graph.ainvoke(ask("and the price of A?"), THREAD)
    prompts = [body["messages"] for body in model_server.requests]
    for earlier, later in pairwise(prompts):
        assert later[: len(earlier)] == earlier
    assert all(body["tools"] == model_server.requests[0]["tools"] for body in model_server.requests)


async def test_the_next_turn_knows_the_last_one_and_its_figures_start_afresh(graph, model_server):
    model_server.will(Reply(calls=[("price", {"sku": "A"})]), "12.50", "You are welcome.")
    await graph.ainvoke(ask("price of A?"), THREAD)
    state = await graph.ainvoke(ask("thanks"), THREAD)
    assert "12.50" in str(model_server.requests[-1]["messages"])
    assert (state["plan"], len(state["usage"]["calls"])) == ([], 1)
    assert len(state["messages"]) == 6


async def test_tokens_stream_from_planner_and_responder_only_and_steps_are_told(graph, model_server):
    model_server.will(Reply(calls=[("price", {"sku": "A"})]), "It costs 12.50 in all.")
    tokens, steps = [], []
    async for mode, data in graph.astream(ask("price?"), THREAD, stream_mode=["messages", "custom"]):
        if mode == "custom":
            steps.append(data)
        elif data[0].type == "AIMessageChunk" and data[0].text:
            tokens.append((data[1]["langgraph_node"], data[0].text))
    assert {node for node, _ in tokens} == {"responder"}
    assert len(tokens) > 3
    assert "".join(text for _, text in tokens) == "It costs 12.50 in all."
    assert [(s["type"], s["tool"], s["status"]) for s in steps] == [
        ("step", "price", "started"),
        ("step", "price", "finished"),
    ]
    assert steps[1]["ms"] >= 0


def passage_tool(name, texts=("Returns are free within 30 days.", "Shipping takes 3 days.")):
    from langchain_core.tools import tool

    @tool(name)
    async def search(query: str) -> list[Passage]:
        """Search."""
        return [
            Passage(document=f"{i}.md", title=f"T{i}", heading="H", uri=f"/{i}.md", text=text)
            for i, text in enumerate(texts)
        ]

    return search


async def test_citations_are_checked_and_sources_list_just_what_was_cited(settings, model_server):
    graph = build(settings=settings, tools=[reads(passage_tool("search"))], checkpointer=InMemorySaver())
    model_server.will(Reply(calls=[("search", {"query": "returns"})]), "Free for 30 days [1]. Gold is sold [7].")
    state = await graph.ainvoke(ask("returns?"), THREAD)
    assert state["messages"][-1].text == "Free for 30 days [1]. Gold is sold."
    assert [(s["number"], s["document"], s["text"]) for s in state["sources"]] == [
        (1, "0.md", "Returns are free within 30 days.")
    ]
    assert state["usage"]["citations_removed"] == 1
    assert "[1] T0 › H\nReturns are free" in state["messages"][2].content


async def test_passages_keep_their_numbers_through_the_thread(settings, model_server):
    graph = build(
        settings=settings,
        tools=[
            reads(passage_tool("search")),
            reads(passage_tool("other", ("New.", "Returns are free within 30 days."))),
        ],
        checkpointer=InMemorySaver(),
    )
    model_server.will(
        Reply(calls=[("search", {"query": "q"})]),
        "A [2].",
        Reply(calls=[("other", {"query": "q"})]),
        "B [3], still [2].",
    )
    await graph.ainvoke(ask("one"), THREAD)
    state = await graph.ainvoke(ask("two"), THREAD)
    assert [(s["number"], s["text"]) for s in state["sources"]] == [(3, "New."), (2, "Shipping takes 3 days.")]


async def test_a_json_planner_gives_the_same_turn(model_server, tmp_path, shop):
    settings = Settings(model="compatible:scripted", base_url=model_server.url, protocol="json")
    graph = build(settings=settings, tools=shop.tools)
    plan = '{"steps": [{"tool": "order", "args": {"order_id": 7}}, {"tool": "price", "args": {"sku": "${1.lines[0].sku}"}}]}'
    model_server.will(Reply(text=plan), Reply(text='{"answer": "It costs 12.50."}'))
    tokens = []
    async for message, metadata in graph.astream(ask("price?"), stream_mode="messages"):
        if message.type == "AIMessageChunk" and message.text:
            tokens.append((metadata["langgraph_node"], message.text))
    assert "".join(text for _, text in tokens) == "It costs 12.50."
    assert shop.runs == {"order": 1, "price": 1}
    assert model_server.requests[0]["response_format"]["type"] == "json_schema"
    assert "tools" not in model_server.requests[0]


async def test_chatgpt_is_asked_through_the_responses_api_and_gets_its_reasoning_back(model_server, shop):
    settings = Settings(model="openai:gpt-6-luna", OPENAI_API_KEY="sk-test", OPENAI_BASE_URL=model_server.url)
    graph = build(settings=settings, tools=shop.tools)
    model_server.will(
        Reply(calls=[("order", {"order_id": 7}), ("price", {"sku": "${1.lines[1].sku}"})]), "It costs 4 [9]."
    )
    state = await graph.ainvoke(ask("price?"))
    first, second = model_server.requests
    assert first["store"] is False
    assert first["include"] == ["reasoning.encrypted_content"]
    assert "temperature" not in first
    assert any(item.get("type") == "reasoning" and item["encrypted_content"] for item in second["input"])
    assert state["messages"][-1].text == "It costs 4."
    assert state["usage"]["cost"] > 0


@pytest.mark.parametrize(
    ("context", "efforts"),
    [
        (Context(), [None, None]),
        (Context(effort="high"), [{"effort": "high"}, {"effort": "high"}]),
        (Context(effort="high", planning_effort="low"), [{"effort": "low"}, {"effort": "high"}]),
        (Context(planning_effort="low"), [{"effort": "low"}, None]),
        (Context(model="openai:gpt-4.1", effort="high"), [None, None]),
    ],
)
async def test_how_long_a_model_thinks_is_set_for_all_replies_or_for_plans(model_server, shop, context, efforts):
    settings = Settings(model="openai:gpt-6-luna", OPENAI_API_KEY="sk-test", OPENAI_BASE_URL=model_server.url)
    model_server.will(Reply(calls=[("price", {"sku": "A"})]), "12.50")
    await build(settings=settings, tools=shop.tools).ainvoke(ask("price?"), context=context)
    assert [body.get("reasoning") for body in model_server.requests] == efforts


def test_synchronous_callers_get_the_same(graph, model_server, shop):
    model_server.will(
        Reply(calls=[("order", {"order_id": 7}), ("price", {"sku": "${1.lines[*].sku}"})]), "Done.", "Bye."
    )
    events = list(graph.stream(ask("prices?"), THREAD, stream_mode=["custom", "values"]))
    assert [data["status"] for mode, data in events if mode == "custom"] == ["started", "finished"] * 2
    assert graph.get_state(THREAD).values["messages"][-1].text == "Done."
    assert graph.invoke(ask("bye"), THREAD)["messages"][-1].text == "Bye."


async def test_synchronous_callers_inside_a_running_loop_get_the_same(graph, model_server):
    model_server.will("Hello!")
    assert graph.invoke(ask("as in a notebook"), THREAD)["messages"][-1].text == "Hello!"
