"""What goes wrong in the world: each ends in a clear message or a degraded answer, and leaves a thread that works."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest
from langchain_core.language_models import FakeMessagesListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver

from agent.checkpoints import open_checkpointer
from agent.context import Context
from agent.errors import SettingsError
from agent.settings import Settings
from graphs.assistant import build
from tests.graphs.test_turns import THREAD, ask, passage_tool
from tests.support.model_server import Reply
from tests.support.shop import Shop
from tools.effects import reads


@pytest.fixture
def graph(settings):
    return build(settings=settings, tools=Shop().tools, checkpointer=InMemorySaver())


async def next_turn_works(graph, model_server, thread=THREAD):
    model_server.will("Still here.")
    state = await graph.ainvoke(ask("are you there?"), thread)
    assert state["messages"][-1].text == "Still here."
    asked = [
        call["id"]
        for m in state["messages"]
        if isinstance(m, AIMessage)
        for call in (*m.tool_calls, *m.invalid_tool_calls)
    ]
    answered = [m.tool_call_id for m in state["messages"] if isinstance(m, ToolMessage)]
    assert sorted(answered) == sorted(asked), "no call dangles"


@pytest.mark.parametrize("text", ["", "   \n"])
async def test_an_empty_message_is_answered_without_a_model(graph, model_server, text):
    state = await graph.ainvoke(ask(text), THREAD)
    assert state["messages"][-1].text == "Hello! What can I help you with?"
    await next_turn_works(graph, model_server)


async def test_no_message_at_all_is_answered_without_a_model(graph, model_server):
    state = await graph.ainvoke({"messages": []}, THREAD)
    assert state["messages"][-1].text
    await next_turn_works(graph, model_server)


@pytest.mark.parametrize(
    "calls",
    [
        [("no_such_tool", {})],
        [("order", {"order_id": "${1.id}"})],
        [("order", {"order_id": "${2.id}"}), ("order", {"order_id": "${1.id}"})],
        [("order", {"order_id": "not a number"})],
        [("order", '{"order_id": ')],
        [("order", "[1, 2]")],
        [("calculator", {"expression": "1+1"})] * 100,
    ],
    ids=["unknown tool", "self reference", "cycle", "wrong type", "half a JSON", "no object", "without end"],
)
async def test_a_plan_that_stays_wrong_ends_in_an_answer(graph, model_server, calls):
    model_server.will(Reply(calls=calls), Reply(calls=calls), "I could not look that up.")
    state = await graph.ainvoke(ask("x"), THREAD)
    assert state["messages"][-1].text == "I could not look that up."
    await next_turn_works(graph, model_server)


async def test_a_reference_that_leads_nowhere_fails_its_step_and_says_what_there_is(graph, model_server):
    model_server.will(Reply(calls=[("order", {"order_id": 7}), ("price", {"sku": "${1.sku}"})]), "Sorry.")
    state = await graph.ainvoke(ask("x"), THREAD)
    assert "no 'sku' in the result; it has id, customer, lines" in state["plan"][1]["error"]
    await next_turn_works(graph, model_server)


class Unstreamed(FakeMessagesListChatModel):
    """A model that binds tools and does not stream."""

    def bind_tools(self, *_args, **_options):
        return self


async def test_a_model_that_does_not_stream_plans_and_answers(settings):
    call = {"name": "order", "args": {"order_id": 7}, "id": "call"}
    model = Unstreamed(responses=[AIMessage("", tool_calls=[call]), AIMessage("It is there.")])
    state = await build(settings=settings, tools=Shop().tools, model=model).ainvoke(ask("order 7?"))
    assert [step["status"] for step in state["plan"]] == ["finished"]
    assert state["messages"][-1].text == "It is there."


@pytest.mark.parametrize("effect", ["read", "write"])
async def test_an_error_in_broken_characters_is_said_in_whole_ones(settings, model_server, effect):
    @tool
    def broken() -> str:
        """Fail."""
        raise ToolException("half of one: \ud83d")

    broken.metadata = {"effect": effect}
    model_server.will(Reply(calls=[("broken", {})]), "Sorry.")
    state = await build(settings=settings, tools=[broken], checkpointer=InMemorySaver()).ainvoke(ask("x"), THREAD)
    assert state["plan"][0]["error"] == "half of one: \ufffd"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text=" " * 3000),
        Reply(text=""),
        Reply(text=":[{"),
        Reply(text="Hal", cut=1),
        Reply(calls=[("order", {"order_id": 7})], cut=4),
    ],
    ids=["endless white space", "nothing", "signs", "drop before the first word", "drop inside a call"],
)
async def test_a_reply_that_is_useless_is_asked_for_once_more(graph, model_server, reply):
    model_server.will(reply, "Better.")
    state = await graph.ainvoke(ask("x"), THREAD)
    assert state["messages"][-1].text == "Better."
    await next_turn_works(graph, model_server)


async def test_a_model_that_only_writes_nonsense_ends_in_a_degraded_answer(graph, model_server):
    model_server.will(Reply(text=" " * 3000), Reply(text=""))
    state = await graph.ainvoke(ask("x"), THREAD)
    assert "No model could answer" in state["messages"][-1].text
    await next_turn_works(graph, model_server)


async def test_a_stream_that_drops_midway_keeps_what_was_said_and_says_so(graph, model_server):
    model_server.will(Reply(text="Returns are free within thirty days of delivery.", cut=6))
    state = await graph.ainvoke(ask("x"), THREAD)
    text = state["messages"][-1].text
    assert text.startswith("Returns are")
    assert "(The answer breaks off here: the connection could not be made or was lost.)" in text
    await next_turn_works(graph, model_server)


async def test_a_stream_that_falls_silent_midway_is_given_up(graph, model_server, monkeypatch):
    held = threading.Event()
    model_server.will(Reply(text="Returns are free within thirty days.", gate=held))
    with monkeypatch.context() as impatient:
        impatient.setattr("agent.models.completions.SILENCE", 3.0)
        state = await graph.ainvoke(ask("x"), THREAD)
    held.set()
    assert "(The answer breaks off here: the server did not answer in time.)" in state["messages"][-1].text
    await next_turn_works(graph, model_server)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_by_the_server_is_explained_without_its_words(graph, model_server, status):
    model_server.will(Reply(status=status))
    state = await graph.ainvoke(ask("x"), THREAD)
    text = state["messages"][-1].text
    assert f"HTTP {status}" in text
    assert "scripted failure" not in text
    await next_turn_works(graph, model_server)


async def test_without_a_model_the_best_passages_are_quoted_and_cited(settings, model_server):
    graph = build(settings=settings, tools=[reads(passage_tool("search"))], checkpointer=InMemorySaver())
    model_server.will(Reply(status=401))
    state = await graph.ainvoke(ask("returns?"), THREAD)
    text = state["messages"][-1].text
    assert text.startswith("No model could answer (compatible:scripted: the key was refused")
    assert "> Returns are free within 30 days.\n\nT0 [1]" in text
    assert [source["number"] for source in state["sources"]] == [1, 2]
    await next_turn_works(graph, model_server)


async def test_a_model_lost_between_plan_and_answer_leaves_the_results(graph, model_server):
    model_server.will(Reply(calls=[("price", {"sku": "A"})]), Reply(status=401))
    state = await graph.ainvoke(ask("x"), THREAD)
    assert "- price: 12.5" in state["messages"][-1].text
    await next_turn_works(graph, model_server)


async def test_the_next_model_of_the_chain_answers_for_this_run_only(model_server, tmp_path):
    with_fallback = Context(model="compatible:first", fallbacks=["compatible:second"])
    settings = Settings(base_url=model_server.url, data_dir=tmp_path)
    graph = build(settings=settings, checkpointer=InMemorySaver())
    model_server.will(Reply(status=401), "From the second.", "From the first.")
    state = await graph.ainvoke(ask("x"), THREAD, context=with_fallback)
    assert [call["model"] for call in state["usage"]["calls"]] == ["compatible:second"]
    state = await graph.ainvoke(ask("y"), THREAD, context=with_fallback)
    assert [body["model"] for body in model_server.requests] == ["first", "second", "first"]


async def test_a_server_that_cannot_be_reached_is_said(tmp_path):
    settings = Settings(model="compatible:x", base_url="http://127.0.0.1:9/v1", data_dir=tmp_path)
    state = await build(settings=settings).ainvoke(ask("x"))
    assert "the connection could not be made or was lost" in state["messages"][-1].text


async def test_a_missing_key_is_said(tmp_path):
    state = await build(settings=Settings(model="openai:gpt-6-luna", data_dir=tmp_path)).ainvoke(ask("x"))
    assert "needs OPENAI_API_KEY" in state["messages"][-1].text


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (Context(persona="nobody"), "no persona 'nobody': there are helpdesk, sql, tutor"),
        (Context(tools=["nothing"]), "no tool named nothing: the tools are"),
    ],
)
async def test_a_context_that_names_what_is_not_there_is_refused(graph, context, message):
    with pytest.raises(SettingsError, match=message):
        await graph.ainvoke(ask("x"), THREAD, context=context)


@pytest.mark.parametrize("name", ["foo", "foo:bar", "compatible:x"])
async def test_a_model_name_that_means_nothing_is_said(tmp_path, name):
    state = await build(settings=Settings(model=name, data_dir=tmp_path)).ainvoke(ask("x"))
    assert "SELFHELP_BASE_URL" in state["messages"][-1].text or "there is no model" in state["messages"][-1].text


async def run_tool(settings, model_server, made, calls, context=None):
    graph = build(settings=settings, tools=[made], checkpointer=InMemorySaver())
    model_server.will(Reply(calls=calls), "Done.")
    state = await graph.ainvoke(ask("x"), THREAD, context=context)
    await next_turn_works(graph, model_server)
    return state


async def test_a_tool_that_raises_fails_its_step_only(settings, model_server):
    @tool
    def broken() -> str:
        """Break."""
        raise RuntimeError("wires crossed")

    state = await run_tool(settings, model_server, broken, [("broken", {}), ("calculator", {"expression": "1+1"})])
    assert [step["status"] for step in state["plan"]] == ["failed", "finished"]
    assert state["plan"][0]["error"] == "RuntimeError: wires crossed"


async def test_a_tool_that_hangs_is_given_up(settings, model_server):
    shop = Shop()
    slow = next(each for each in shop.tools if each.name == "slow")
    state = await run_tool(settings, model_server, slow, [("slow", {})], Context(tool_timeout=0.05))
    assert state["plan"][0]["error"] == "slow gave no result within 0.05 seconds"


async def test_a_tool_that_times_out_by_itself_is_not_said_to_have_hung(settings, model_server):
    @reads
    @tool
    async def impatient() -> str:
        """Give up."""
        raise TimeoutError("the database is locked")

    state = await run_tool(settings, model_server, impatient, [("impatient", {})])
    assert state["plan"][0]["error"] == "TimeoutError: the database is locked"


async def test_a_result_of_5_mb_is_kept_whole_and_shown_cut(settings, model_server):
    @reads
    @tool
    def flood() -> dict[str, Any]:
        """Flood."""
        return {"data": "x" * 5_000_000, "end": 7}

    state = await run_tool(settings, model_server, flood, [("flood", {}), ("calculator", {"expression": "${1.end}"})])
    message = next(m for m in state["messages"] if isinstance(m, ToolMessage))
    assert len(message.content) < 8_200
    assert "the first 8,000 of 5," in message.content
    assert len(message.artifact["value"]["data"]) == 5_000_000
    assert len(str(model_server.requests[1])) < 20_000
    assert state["plan"][1]["status"] == "finished"


async def test_a_result_that_is_no_json_still_becomes_one(settings, model_server):
    @reads
    @tool
    def odd() -> dict[str, Any]:
        """Odd."""
        return {"set": {1}, "bytes": b"\xff\x00", "nan": float("nan"), "object": object}

    state = await run_tool(settings, model_server, odd, [("odd", {})])
    assert state["plan"][0]["status"] == "finished"


def holding_itself():
    value = {}
    value["it"] = value
    return value


RESULTS = {
    "itself": (holding_itself, "it cannot be written as JSON"),
    "nested": (lambda: json.loads("[" * 300 + "]" * 300), "it cannot be written as JSON"),
    "text that is nested JSON": (lambda: "[" * 100_000 + "]" * 100_000, None),
    "half a character": (lambda: {"a": "x\ud800"}, None),
    "a number of 70 bits": (lambda: {"a": 2**70}, None),
}


@pytest.mark.parametrize("effect", ["read", "write"])
@pytest.mark.parametrize("result", RESULTS)
async def test_a_result_that_cannot_be_kept_fails_its_step_at_most(settings, model_server, result, effect):
    make, wrong = RESULTS[result]

    @tool
    def odd() -> Any:
        """Odd."""
        return make()

    odd.metadata = {"effect": effect}
    calls = [("odd", {}), ("calculator", {"expression": "1+1"}), ("calculator", {"expression": "${1.a}"})]
    async with open_checkpointer(settings) as saver:
        graph = build(settings=settings, tools=[odd], checkpointer=saver)
        model_server.will(Reply(calls=calls), "Done.")
        state = await graph.ainvoke(ask("x"), THREAD, context=Context(approvals={"*": "never"}))
        await next_turn_works(graph, model_server)
    first, second, _ = state["plan"]
    # A write whose answer cannot be read was done nevertheless.
    assert first["status"] == ("failed" if wrong and effect == "read" else "finished")
    assert second["status"] == "finished"
    told = next(message for message in state["messages"] if isinstance(message, ToolMessage))
    assert (wrong or "") in told.text
    assert not wrong or effect == "read" or told.text.startswith("It was done.")


async def test_a_number_of_more_than_64_bits_reaches_the_next_call_whole(settings, model_server):
    @reads
    @tool
    def balance() -> dict[str, Any]:
        """Return a balance in its smallest unit."""
        return {"wei": 2**70}

    calls = [("balance", {}), ("calculator", {"expression": "${1.wei} - 1"})]
    state = await run_tool(settings, model_server, balance, calls)
    assert str(2**70 - 1) in [message.text for message in state["messages"]]


@pytest.mark.parametrize(
    "arguments",
    ['{"expression": ' + '{"a": ' * 300 + "1" + "}" * 301, '{"expression": "\\ud800"}'],
    ids=["nested", "half a character"],
)
async def test_arguments_that_could_not_be_kept_or_sent_again_leave_a_thread_that_works(
    settings, model_server, arguments
):
    async with open_checkpointer(settings) as saver:
        graph = build(settings=settings, checkpointer=saver)
        model_server.will(Reply(calls=[("calculator", arguments)]), "I could not work that out.")
        state = await graph.ainvoke(ask("x"), THREAD)
        assert state["messages"][-1].text == "I could not work that out."
        await next_turn_works(graph, model_server)


async def test_a_question_with_half_a_character_is_answered_and_kept_legible(settings, model_server):
    async with open_checkpointer(settings) as saver:
        graph = build(settings=settings, checkpointer=saver)
        model_server.will("It means nothing.")
        state = await graph.ainvoke(ask("What is \udcff?"), THREAD)
        assert [message.text for message in state["messages"]] == ["What is \ufffd?", "It means nothing."]
        await next_turn_works(graph, model_server)


async def test_an_answer_with_half_a_character_is_streamed_legibly(graph, model_server):
    model_server.will(Reply(text="Half \ud83d of one."))
    streamed = [chunk.text async for chunk, _ in graph.astream(ask("x"), THREAD, stream_mode="messages") if chunk.text]
    assert "".join(streamed) == "Half \ufffd of one."
    await next_turn_works(graph, model_server)


@pytest.mark.parametrize(("status", "effect", "runs"), [(503, "read", 2), (503, "write", 1), (404, "read", 1)])
async def test_transient_errors_are_retried_for_reads_only(settings, model_server, status, effect, runs):
    seen = []

    @tool
    async def flaky() -> str:
        """Fail once."""
        seen.append(1)
        if len(seen) == 1:
            request = httpx.Request("GET", "http://127.0.0.1")
            raise httpx.HTTPStatusError(
                "no", request=request, response=httpx.Response(status, headers={"retry-after": "0"}, request=request)
            )
        return "ok"

    flaky.metadata = {"effect": effect}
    await run_tool(settings, model_server, flaky, [("flaky", {})])
    assert len(seen) == runs


async def test_a_fan_out_with_failing_elements_says_which_and_keeps_the_others(settings, model_server):
    @reads
    @tool
    def half(n: int) -> float:
        """Half of an even number."""
        if n % 2:
            raise ToolException(f"{n} is odd")
        return n / 2

    @reads
    @tool
    def numbers() -> list[int]:
        """Some numbers."""
        return [2, 3, 4]

    graph = build(settings=settings, tools=[half, numbers])
    model_server.will(Reply(calls=[("numbers", {}), ("half", {"n": "${1[*]}"}), ("half", {"n": "${2[0]}"})]), "Done.")
    state = await graph.ainvoke(ask("x"))
    assert [step["status"] for step in state["plan"]] == ["finished", "failed", "skipped"]
    assert state["plan"][1]["error"] == "element 1: 3 is odd"
    assert (
        "[1.0, null, 2.0]"
        in next(m for m in state["messages"] if isinstance(m, ToolMessage) and m.name == "half").content
    )


async def test_two_tools_of_one_name_are_refused(settings):
    @tool
    def calculator(x: int) -> int:
        """Another."""
        return x

    with pytest.raises(SettingsError, match="two tools are named 'calculator'"):
        await build(settings=settings, tools=[calculator]).ainvoke(ask("x"))


async def test_a_chat_model_that_cannot_bind_tools_can_be_handed_in(tmp_path):
    model = GenericFakeChatModel(messages=iter([AIMessage('{"answer": "Hello from a fake."}')]))
    state = await build(model=model, settings=Settings(data_dir=tmp_path)).ainvoke(ask("hi"))
    assert state["messages"][-1].text == "Hello from a fake."


async def test_a_key_never_reaches_state_or_answer(model_server, tmp_path):
    settings = Settings(model="compatible:x", base_url=model_server.url, api_key="sk-very-secret", data_dir=tmp_path)
    graph = build(settings=settings, checkpointer=InMemorySaver())
    model_server.will(Reply(status=401), "ok")
    await graph.ainvoke(ask("x"), THREAD)
    await graph.ainvoke(ask("y"), THREAD)
    history = [snapshot async for snapshot in graph.aget_state_history(THREAD)]
    assert "very-secret" not in str(history) + repr(settings) + str(model_server.requests)


async def test_a_message_of_content_blocks_is_understood(graph, model_server):
    model_server.will("Hello!")
    state = await graph.ainvoke({"messages": [HumanMessage([{"type": "text", "text": "hi"}])]}, THREAD)
    assert state["messages"][-1].text == "Hello!"


async def test_a_model_that_is_handed_in_goes_before_the_one_that_is_set(tmp_path):
    model = GenericFakeChatModel(messages=iter([AIMessage('{"answer": "From the one handed in."}')]))
    settings = Settings(data_dir=tmp_path, model="compatible:nobody", base_url="http://127.0.0.1:1/v1")
    state = await build(model=model, settings=settings).ainvoke(ask("hi"))
    assert state["messages"][-1].text == "From the one handed in."


def test_a_function_that_is_no_tool_is_refused_with_what_to_do():
    def stock(sku: str) -> int:
        return len(sku)

    with pytest.raises(SettingsError, match="stock is not a LangChain tool: decorate it with @tool"):
        build(tools=[stock])
