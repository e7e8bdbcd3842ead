"""What LangGraph Studio, agent-chat-ui and the SDK meet: the graphs in a real `langgraph dev` process."""

from __future__ import annotations

import asyncio
import threading
import uuid

from langgraph_sdk import get_client

from tests.end_to_end.conversation import ask, let_go, plan_that_hangs, runs_of, texts, turn, until_it_hangs
from tests.end_to_end.tools_of_tests import INNER
from tests.support.model_server import Reply

# As agent-chat-ui asks for it.
STREAM_MODES = ["values", "messages-tuple", "custom"]


async def streamed(client, thread, text, **options):
    """Return the parts of a turn by event."""
    parts = {}
    async for part in client.runs.stream(thread, "assistant", input=ask(text), stream_mode=STREAM_MODES, **options):
        parts.setdefault(part.event, []).append(part.data)
    assert "error" not in parts
    return parts


def answer_tokens(parts):
    """Return streamed text with the node that it came from."""
    return [
        (meta["langgraph_node"], chunk["content"])
        for chunk, meta in parts["messages"]
        if chunk["type"] == "AIMessageChunk" and chunk["content"]
    ]


async def test_the_second_turn_of_a_thread_sees_the_first(client, thread, model):
    def sees_the_first(body):
        assert [(m["role"], m["content"]) for m in body["messages"][1:]] == [
            ("user", "I am Ada."),
            ("assistant", "Hello, Ada!"),
            ("user", "Who am I?"),
        ]

    model.will("Hello, Ada!", Reply(text="You are Ada.", check=sees_the_first))
    await turn(client, thread, "I am Ada.")
    state = await turn(client, thread, "Who am I?")
    assert texts(state) == ["I am Ada.", "Hello, Ada!", "Who am I?", "You are Ada."]


async def test_an_answer_without_tools_streams_from_the_planner(client, thread, model):
    model.will("Hello there, how are you?")
    parts = await streamed(client, thread, "hi")
    tokens = answer_tokens(parts)
    assert len(tokens) > 2
    assert {node for node, _ in tokens} == {"planner"}
    assert "".join(text for _, text in tokens) == "Hello there, how are you?"
    assert texts(parts["values"][-1]) == ["hi", "Hello there, how are you?"]


async def test_an_answer_over_results_streams_from_the_responder_with_step_events_before_it(
    client, thread, model, name
):
    calls = [
        ("calculator", {"expression": "6*7"}),
        ("ask_another_model", {"question": "${1}"}),
        ("note", {"text": name}),
    ]
    model.will(Reply(calls=calls), "The answer is 42, really.")
    parts = await streamed(client, thread, "6*7?")
    tokens = answer_tokens(parts)
    assert {node for node, _ in tokens} == {"responder"}
    assert "".join(text for _, text in tokens) == "The answer is 42, really."
    assert [m["content"] for m in parts["values"][-1]["messages"] if m["type"] == "tool"] == ["42", INNER, f"{name}+"]
    told = {}
    for event in parts["custom"]:
        assert event["type"] == "step"
        told.setdefault((event["id"], event["tool"]), []).append(event["status"])
    assert [tool for _, tool in told] == ["calculator", "ask_another_model", "note"]
    assert list(told.values()) == [["started", "finished"]] * 3
    assert [step["id"] for step in parts["values"][-1]["plan"]] == [call_id for call_id, _ in told]


async def test_an_answer_from_documents_cites_passages_that_a_search_found(client, thread, model):
    model.will(
        Reply(calls=[("search", {"query": "return boots"})]), "Within 60 days [1], or a year [77].", "As I said [1]."
    )
    state = await turn(client, thread, "How long can I return boots?")
    assert state["messages"][-1]["content"] == "Within 60 days [1], or a year."
    (source,) = state["sources"]
    assert (source["number"], source["document"]) == (1, "returns.md")
    assert "[1] Returns" in model.requests[1]["messages"][-1]["content"]
    assert state["usage"]["citations_removed"] == 1
    state = await turn(client, thread, "Sure?")
    assert [source["document"] for source in state["sources"]] == ["returns.md"]


async def test_agent_chat_ui_s_way_of_asking_works(client, thread, model):
    model.will(Reply(calls=[("calculator", {"expression": "1+1"})]), "Two.", "You asked for 1+1.")
    blocks = {
        "messages": [{"id": str(uuid.uuid4()), "type": "human", "content": [{"type": "text", "text": "What is 1+1?"}]}]
    }
    parts = [
        part
        async for part in client.runs.stream(
            thread,
            "assistant",
            input=blocks,
            stream_mode=STREAM_MODES,
            stream_subgraphs=True,
            stream_resumable=True,
            on_disconnect="continue",
        )
    ]
    assert {part.event for part in parts} == {"metadata", "values", "messages", "custom"}
    state = [part.data for part in parts if part.event == "values"][-1]
    assert [m["type"] for m in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][-1]["content"] == "Two."
    await turn(client, thread, "What did I ask?")
    assert model.requests[-1]["messages"][1]["content"] == [{"type": "text", "text": "What is 1+1?"}]


async def test_the_history_of_a_thread_leads_back_through_its_turns(client, thread, model):
    model.will(Reply(calls=[("calculator", {"expression": "1+1"})]), "Two.", "Yes.")
    await turn(client, thread, "1+1?")
    await turn(client, thread, "Sure?")
    history = await client.threads.get_history(thread, limit=50)
    assert [state["next"] for state in history] == [
        [],
        ["planner"],
        ["__start__"],
        [],
        ["responder"],
        ["executor"],
        ["planner"],
        ["__start__"],
    ]
    assert [len(state["values"].get("messages", [])) for state in history] == [6, 5, 4, 4, 3, 2, 1, 0]
    assert history[0]["values"]["plan"] == []
    assert [step["status"] for step in history[3]["values"]["plan"]] == ["finished"]
    assert [step["status"] for step in history[5]["values"]["plan"]] == ["planned"]


async def test_a_fork_from_an_earlier_checkpoint_leaves_the_original_as_it_was(client, thread, model):
    model.will("One.", "Two.", "Another two.", "Three.")
    await turn(client, thread, "a")
    first = (await client.threads.get_state(thread))["checkpoint"]
    await turn(client, thread, "b")
    original = (await client.threads.get_state(thread))["checkpoint"]
    forked = await turn(client, thread, "c", checkpoint=first)
    assert texts(forked) == ["a", "One.", "c", "Another two."]
    assert texts((await client.threads.get_state(thread, checkpoint=original))["values"]) == ["a", "One.", "b", "Two."]
    continued = await turn(client, thread, "d", checkpoint=original)
    assert texts(continued) == ["a", "One.", "b", "Two.", "d", "Three."]
    assert [m["content"] for m in model.requests[-1]["messages"][1:]] == ["a", "One.", "b", "Two.", "d"]


async def test_a_question_edited_in_studio_is_answered_anew(client, thread, model):
    model.will("One.", "Two.", "Edited two.", "Three.")
    await turn(client, thread, "a")
    await turn(client, thread, "b")
    asked = next(state for state in await client.threads.get_history(thread) if state["next"] == ["planner"])
    question = {**asked["values"]["messages"][-1], "content": "edited"}
    edited = await client.threads.update_state(thread, {"messages": [question]}, checkpoint=asked["checkpoint"])
    state = await client.runs.wait(thread, "assistant", input=None, checkpoint=edited["checkpoint"])
    assert texts(state) == ["a", "One.", "edited", "Edited two."]
    assert texts(await turn(client, thread, "c")) == ["a", "One.", "edited", "Edited two.", "c", "Three."]


async def test_a_plan_edited_at_a_breakpoint_runs_as_edited(client, thread, model, server, name):
    model.will(Reply(calls=[("note", {"text": f"{name} planned"})]), "Done.")
    stopped = await turn(client, thread, "go", interrupt_before=["executor"])
    plan = stopped["messages"][-1]
    plan["tool_calls"][0]["args"] = {"text": f"{name} edited"}
    await client.threads.update_state(thread, {"messages": [plan]})
    state = await client.runs.wait(thread, "assistant", input=None)
    assert texts(state) == ["go", "", f"{name} edited+", "Done."]
    assert runs_of(server, name) == {f"note {name} edited": 1}


async def test_a_copied_thread_goes_its_own_way(client, thread, model):
    model.will(Reply(calls=[("calculator", {"expression": "1+1"})]), "Two.", "In the copy.", "In the original.")
    await turn(client, thread, "a")
    copy = (await client.threads.copy(thread))["thread_id"]
    assert texts(await turn(client, copy, "b")) == ["a", "", "2", "Two.", "b", "In the copy."]
    assert texts(await turn(client, thread, "b")) == ["a", "", "2", "Two.", "b", "In the original."]


async def test_an_assistant_of_one_s_own_speaks_as_its_persona_and_keeps_its_limits(client, thread, model):
    model.will(Reply(calls=[("calculator", {"expression": "1+1"})]), "Two. And 2+2?")
    context = {"persona": "tutor", "max_rounds": 1, "tools": ["calculator"], "temperature": 0.5}
    assistant = await client.assistants.create("assistant", context=context, name="Tutor")
    state = await client.runs.wait(thread, assistant["assistant_id"], input=ask("1+1?"))
    assert state["messages"][-1]["content"] == "Two. And 2+2?"
    for body in model.requests:
        assert body["messages"][0]["content"].startswith("You are a patient tutor.")
        assert [tool["function"]["name"] for tool in body["tools"]] == ["calculator", "reply"]
        assert body["temperature"] == 0.5
    assert "tool_choice" not in model.requests[0]
    assert model.requests[1]["tool_choice"] == "none"


async def test_after_a_cancelled_run_the_next_turn_knows_what_was_finished(client, thread, model, server, name):
    def sees_results(body):
        results = [m["content"] for m in body["messages"] if m["role"] == "tool"]
        assert results[:2] == [f"{name}+", f"{name}++"]
        assert "cut off" in results[2]

    model.will(plan_that_hangs(name), Reply(text="Two of three are done.", check=sees_results))
    run = await client.runs.create(thread, "assistant", input=ask("go"))
    await until_it_hangs(server, name)
    await client.runs.cancel(thread, run["run_id"], wait=True)
    assert (await client.runs.get(thread, run["run_id"]))["status"] == "interrupted"
    state = await turn(client, thread, "and?")
    assert texts(state)[-1] == "Two of three are done."
    assert set(runs_of(server, name).values()) == {1}


async def test_a_cancelled_run_can_be_resumed_and_runs_only_what_was_not_finished(client, thread, model, server, name):
    model.will(plan_that_hangs(name), "All done.")
    run = await client.runs.create(thread, "assistant", input=ask("go"))
    await until_it_hangs(server, name)
    await client.runs.cancel(thread, run["run_id"], wait=True)
    let_go(server, name)
    state = await client.runs.wait(thread, "assistant", input=None)
    assert state["messages"][-1]["content"] == "All done."
    assert runs_of(server, name) == {f"note {name}": 1, f"note {name}+": 1, f"hang {name}++": 2}
    assert [step["status"] for step in state["plan"]] == ["finished"] * 3


async def until_it_streams_a_hanging_step(client, thread, **options):
    """Ask, and hang up as soon as the step that hangs is told of."""
    async for part in client.runs.stream(thread, "assistant", input=ask("go"), stream_mode=STREAM_MODES, **options):
        if part.event == "custom" and part.data["tool"] == "hang":
            return


async def test_a_client_that_disconnects_leaves_its_run_to_finish(client, thread, model, server, name):
    model.will(plan_that_hangs(name), "All done.", "It was done.")
    await until_it_streams_a_hanging_step(client, thread)
    let_go(server, name)
    state = await turn(client, thread, "and?")
    assert texts(state)[-3:] == ["All done.", "and?", "It was done."]
    assert set(runs_of(server, name).values()) == {1}


async def test_a_client_that_disconnects_and_wants_its_run_cancelled_leaves_a_thread_that_works(
    client, thread, model, server, name
):
    model.will(plan_that_hangs(name), "Here I am.")
    await until_it_streams_a_hanging_step(client, thread, on_disconnect="cancel")
    state = await turn(client, thread, "hello?")
    assert texts(state)[-1] == "Here I am."
    assert [m["status"] for m in state["messages"] if m["type"] == "tool"] == ["success", "success", "error"]
    assert set(runs_of(server, name).values()) == {1}


async def test_a_client_that_disconnects_in_mid_answer_leaves_a_thread_that_works(client, thread, model):
    gate = threading.Event()
    model.will(Reply(text="A long answer that nobody reads.", gate=gate), "Here I am.")
    stream = client.runs.stream(
        thread, "assistant", input=ask("go"), stream_mode="messages-tuple", on_disconnect="cancel"
    )
    async for part in stream:
        if part.event == "messages" and part.data[0]["content"]:
            break
    await stream.aclose()
    state = await turn(client, thread, "hello?")
    gate.set()
    assert texts(state) == ["go", "hello?", "Here I am."]


async def test_a_run_that_is_rolled_back_leaves_no_trace_in_its_thread(client, thread, model, server, name):
    model.will("Hello!", plan_that_hangs(name), "After it.")
    await turn(client, thread, "hi")
    await client.runs.create(thread, "assistant", input=ask("go"))
    await until_it_hangs(server, name)
    state = await turn(client, thread, "instead", multitask_strategy="rollback")
    assert texts(state) == ["hi", "Hello!", "instead", "After it."]


async def test_a_setting_that_cannot_be_used_is_said(shared_server):
    async with get_client(url=shared_server.url) as client:
        thread = (await client.threads.create())["thread_id"]
        pirate = {"persona": "pirate"}
        state = await client.runs.wait(thread, "assistant", input=ask("hi"), context=pirate, raise_error=False)
    assert state["__error__"]["message"].startswith("there is no persona 'pirate'")


async def test_turns_on_many_threads_run_at_the_same_time(client, model, server, name):
    names = [f"{name}{number}" for number in range(4)]
    threads = [(await client.threads.create())["thread_id"] for _ in names]
    model.repeat = lambda body: (
        Reply("done") if body["messages"][-1]["role"] == "tool" else plan_that_hangs(body["messages"][-1]["content"])
    )
    runs = [asyncio.create_task(turn(client, thread, each)) for thread, each in zip(threads, names, strict=True)]
    for each in names:
        await until_it_hangs(server, each)
    for each in names:
        let_go(server, each)
    assert [texts(state)[-1] for state in await asyncio.gather(*runs)] == ["done"] * 4
    assert len(model.requests) == 8


async def test_schemas_name_and_describe_every_field(client):
    (assistant,) = await client.assistants.search(graph_id="assistant", metadata={"created_by": "system"})
    assert assistant["description"]
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    assert schemas["input_schema"]["properties"].keys() == {"messages"}
    # What the server calls the state schema has names only, for every graph: its output schema has the state's descriptions.
    assert schemas["state_schema"]["properties"].keys() == {"messages", "plan", "sources", "usage", "summary", "flags"}
    assert schemas["output_schema"]["properties"].keys() == {"messages", "plan", "sources", "usage", "summary", "flags"}
    assert {"model", "persona", "tools", "max_rounds"} <= schemas["context_schema"]["properties"].keys()
    for kind in ("input_schema", "output_schema", "context_schema"):
        for field in schemas[kind]["properties"].values():
            described = {**schemas[kind].get("$defs", {}).get(field.get("$ref", "").split("/")[-1], {}), **field}
            assert described["title"]
            assert described["description"]


async def test_the_baseline_serves_the_same_tools_in_a_loop(client, thread, model):
    model.will(
        Reply(calls=[("calculator", {"expression": "6*7"})]),
        Reply(calls=[("calculator", {"expression": "42/0"})]),
        "No.",
    )
    parts = [
        part
        async for part in client.runs.stream(
            thread, "react", input=ask("?"), stream_mode=STREAM_MODES, context={"persona": "tutor"}
        )
    ]
    state = [part.data for part in parts if part.event == "values"][-1]
    assert [m["type"] for m in state["messages"]] == ["human", "ai", "tool", "ai", "tool", "ai"]
    assert [m["status"] for m in state["messages"] if m["type"] == "tool"] == ["success", "error"]
    assert model.requests[0]["messages"][0]["content"].startswith("You are a patient tutor.")
    assert "reply" not in [tool["function"]["name"] for tool in model.requests[0]["tools"]]


async def test_the_indexer_reads_the_documents_and_says_how_far_it_is(client, thread, server):
    parts = [
        (part.event, part.data)
        async for part in client.runs.stream(thread, "indexer", input={}, stream_mode=["custom", "values"])
    ]
    [*_, (_, state)] = [part for part in parts if part[0] == "values"]
    [report] = state["reports"]
    documents = sorted(path.name for path in (server.folder / "docs").iterdir())
    assert sorted([*report["added"], *report["unchanged"]]) == documents
    progress = [data for event, data in parts if event == "custom"]
    assert progress[-1] == {
        "type": "progress",
        "source": str(server.folder / "docs"),
        "done": len(documents),
        "found": len(documents),
    }
