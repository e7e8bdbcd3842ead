"""What is finished stays finished: through cancellation, through resuming, and through kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from agent.checkpoints import THREADS_FILE, open_checkpointer
from agent.context import Context
from agent.errors import SettingsError
from agent.settings import Settings
from graphs import assistant
from graphs.assistant import build
from tests.graphs.test_turns import THREAD, ask
from tests.support.model_server import Reply
from tests.support.shop import Shop

REPOSITORY = Path(__file__).parents[2]
PLAN = Reply(calls=[("order", {"order_id": 7}), ("price", {"sku": "${1.lines[0].sku}"}), ("slow", {"text": "${2}"})])


async def cut_off(graph, shop):
    """Cancel a turn while its third step hangs and the first two are done."""
    running = asyncio.create_task(graph.ainvoke(ask("go"), THREAD))
    async with asyncio.timeout(60):
        while await persisted_steps(graph) < 2 or not shop.runs["slow"]:
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def streamed(graph):
    return [chunk async for chunk in graph.astream(ask("go"), THREAD, stream_mode=["messages", "custom", "values"])]


async def persisted_steps(graph):
    return (await kept_channels(graph)).count("__return__")


async def kept_channels(graph):
    checkpoint = await graph.checkpointer.aget_tuple(THREAD)
    return [channel for _, channel, _ in checkpoint.pending_writes] if checkpoint else []


async def cut_off_before_the_answer(settings, shop, monkeypatch):
    """Cancel a turn between what its steps came to and the choice of what follows them, and return how it goes on."""
    choosing, hold = threading.Event(), threading.Event()

    def after(state):
        choosing.set()
        hold.wait(20)
        return assistant.after_execution(state)

    monkeypatch.setattr(assistant, "after_execution", after)
    async with open_checkpointer(settings) as checkpointer:
        graph = build(settings=settings, tools=shop.tools, checkpointer=checkpointer)
        monkeypatch.undo()
        running = asyncio.create_task(streamed(graph))
        assert await asyncio.to_thread(choosing.wait, 20)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(20):
            while "__error__" not in await kept_channels(graph):
                await asyncio.sleep(0.01)
        hold.set()
        return await graph.ainvoke(None, THREAD)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture(params=["memory", "sqlite"])
async def graph(request, settings, shop):
    if request.param == "memory":
        yield build(settings=settings, tools=shop.tools, checkpointer=InMemorySaver())
        return
    async with open_checkpointer(settings) as checkpointer:
        yield build(settings=settings, tools=shop.tools, checkpointer=checkpointer)


async def test_a_turn_that_is_cut_off_behind_its_steps_is_answered_when_it_goes_on(
    settings, shop, model_server, monkeypatch
):
    model_server.will(Reply(calls=[("order", {"order_id": 7})]), "All done.")
    state = await cut_off_before_the_answer(settings, shop, monkeypatch)
    assert [m.type for m in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert (state["messages"][-1].text, shop.runs) == ("All done.", {"order": 1})


async def test_a_checkpoint_that_cannot_be_kept_keeps_nobody_out_of_the_database(settings):
    thread = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
    async with open_checkpointer(settings) as saver:
        await saver.aput(thread, empty_checkpoint(), {}, {})
        with closing(sqlite3.connect(settings.data_dir / THREADS_FILE, timeout=0)) as other:
            other.execute("ALTER TABLE checkpoints RENAME TO away")
            with pytest.raises(sqlite3.OperationalError):
                await saver.aput(thread, empty_checkpoint(), {}, {})
            other.execute("ALTER TABLE away RENAME TO checkpoints")


async def test_after_a_cancelled_run_the_next_turn_works_and_knows_what_was_finished(graph, shop, model_server):
    def sees_results(body):
        results = [m["content"] for m in body["messages"] if m["role"] == "tool"]
        assert results[1] == "12.5"
        assert "cut off" in results[2]
        roles = [m["role"] for m in body["messages"]]
        assert roles == ["system", "user", "assistant", "tool", "tool", "tool", "user"]

    model_server.will(PLAN, Reply(text="It costs 12.50.", check=sees_results))
    await cut_off(graph, shop)
    state = await graph.ainvoke(ask("so?"), THREAD)
    assert state["messages"][-1].text == "It costs 12.50."
    assert shop.runs == {"order": 1, "price": 1, "slow": 1}
    assert len([m for m in state["messages"] if isinstance(m, ToolMessage)]) == 3


async def test_resuming_a_cancelled_run_runs_only_what_was_not_finished(graph, shop, model_server):
    model_server.will(PLAN, "All done.")
    await cut_off(graph, shop)
    shop.hold.set()
    state = await graph.ainvoke(None, THREAD)
    assert state["messages"][-1].text == "All done."
    assert shop.runs == {"order": 1, "price": 1, "slow": 2}
    assert [step["status"] for step in state["plan"]] == ["finished"] * 3


@pytest.mark.parametrize("effect", ["read", "write"])
async def test_a_tool_that_asks_a_person_waits_and_its_finished_siblings_do_not_run_again(
    settings, shop, model_server, effect
):
    @tool
    async def confirm(what: str) -> str:
        """Ask a person."""
        return f"{what}: {interrupt('really?')}"

    confirm.metadata = {"effect": effect}
    graph = build(settings=settings, tools=[*shop.tools, confirm], checkpointer=InMemorySaver())
    calls = [
        ("order", {"order_id": 7}),
        ("confirm", {"what": "${1.id}"}),
        ("price", {"sku": "A"}),
        ("slow", {"text": "${2}"}),
    ]
    model_server.will(Reply(calls=calls), "Confirmed.")
    shop.hold.set()
    state = await graph.ainvoke(ask("go"), THREAD)
    assert state["__interrupt__"][0].value == "really?"
    state = await graph.ainvoke(Command(resume="yes"), THREAD)
    assert state["messages"][-1].text == "Confirmed."
    assert (
        next(m for m in state["messages"] if isinstance(m, ToolMessage) and m.name == "slow").content == "slow 7: yes"
    )
    assert shop.runs == {"order": 1, "price": 1, "slow": 1}


async def test_a_client_that_stops_reading_leaves_a_thread_that_works(graph, shop, model_server):
    model_server.will(PLAN, "Here I am.")
    stream = graph.astream(ask("go"), THREAD, stream_mode="custom")
    async for event in stream:
        if event["tool"] == "slow":
            break
    await stream.aclose()
    state = await graph.ainvoke(ask("hello?"), THREAD)
    assert state["messages"][-1].text == "Here I am."
    assert shop.runs["order"] == 1


PROGRAM = """
import asyncio, sys
from langchain_core.tools import tool
from agent.checkpoints import THREADS_FILE, open_checkpointer
from agent.context import Context
from agent.settings import Settings
from graphs import assistant
from graphs.assistant import build
from tools.effects import reads

def note(name):
    with open("runs.log", "a") as log:
        log.write(name + "\\n")

def counted(name, hangs=False):
    @tool(name)
    async def run(text: str) -> str:
        "Run."
        note(name)
        if hangs and sys.argv[2] == "first":
            note("hanging")
            await asyncio.Event().wait()
        return text + name
    return run

first, second, fourth = counted("first"), reads(counted("second")), counted("fourth")
# What was cut off is a read: a write would be asked about.
third = reads(counted("third", hangs=True))

async def main():
    settings = Settings(model="compatible:x", base_url=sys.argv[1], approvals={"*": "never"})
    async with open_checkpointer(settings) as checkpointer:
        graph = build(settings=settings, tools=[first, second, third, fourth], checkpointer=checkpointer)
        asked = {"messages": [("user", "go")]} if sys.argv[2] == "first" else None
        state = await graph.ainvoke(asked, {"configurable": {"thread_id": "t"}})
        print(state["messages"][-1].text)
        print([step["status"] for step in state["plan"]])

asyncio.run(main())
"""


def test_after_kill_9_in_the_middle_of_a_plan_no_finished_step_runs_twice(model_server, tmp_path):
    calls = [
        ("first", {"text": "a"}),
        ("second", {"text": "${1}"}),
        ("third", {"text": "${2}"}),
        ("fourth", {"text": "${1}"}),
    ]
    model_server.will(Reply(calls=calls), "Arrived.")
    command = [sys.executable, "-c", PROGRAM, model_server.url]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([*command, "first"], cwd=tmp_path, env=environment)
    log = tmp_path / "runs.log"
    wait_for(lambda: log.exists() and {"hanging", "fourth"} <= set(log.read_text().split()), process)
    wait_for_persisted(tmp_path / ".selfhelp" / "threads.sqlite", 3, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    resumed = subprocess.run(
        [*command, "resume"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=200
    )
    assert resumed.stdout.splitlines() == ["Arrived.", "['finished', 'finished', 'finished', 'finished']"]
    assert Counter(log.read_text().split()) == {"first": 1, "second": 1, "third": 2, "fourth": 1, "hanging": 1}


def wait_for(condition, process, seconds=120.0):
    import time

    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the process ended early"
        assert time.monotonic() < deadline, "the process did not get there"
        time.sleep(0.02)


def wait_for_persisted(database, steps, process):
    """Wait until the results of so many steps are in the database: what the promise is about."""
    import sqlite3

    def persisted():
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            found = connection.execute("select count(*) from writes where channel = '__return__'").fetchone()[0]
        connection.close()
        return found >= steps

    wait_for(persisted, process)


async def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="threads cannot be kept in"):
        async with open_checkpointer(Settings(data_dir=tmp_path / "file" / "data")):
            pass


async def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "threads.sqlite").write_text("not a database at all" * 100)
    with pytest.raises(SettingsError, match="threads cannot be kept in"):
        async with open_checkpointer(Settings(data_dir=tmp_path)):
            pass


async def test_threads_survive_a_restart(settings, model_server):
    model_server.will("Hello!", "You said hi.")
    for text in ("hi", "what did I say?"):
        async with open_checkpointer(settings) as checkpointer:
            state = await build(settings=settings, checkpointer=checkpointer).ainvoke(ask(text), THREAD)
    assert [m.text for m in state["messages"]] == ["hi", "Hello!", "what did I say?", "You said hi."]


async def test_a_thread_can_be_forked_from_an_earlier_checkpoint(settings, model_server):
    model_server.will("One.", "Two.", "Other.")
    graph = build(settings=settings, checkpointer=InMemorySaver())
    await graph.ainvoke(ask("a"), THREAD)
    first = (await graph.aget_state(THREAD)).config
    await graph.ainvoke(ask("b"), THREAD)
    state = await graph.ainvoke(ask("c"), first)
    assert [m.text for m in state["messages"]] == ["a", "One.", "c", "Other."]


async def test_a_tool_that_is_gone_when_its_run_goes_on_fails_its_step_alone(settings, shop, model_server):
    waiting = Context(approvals={"*": "always"})
    model_server.will(Reply(calls=[("order", {"order_id": 7}), ("cancel_order", {"order_id": 7})]), "Not now.")
    checkpointer = InMemorySaver()
    await build(settings=settings, tools=shop.tools, checkpointer=checkpointer).ainvoke(
        ask("go"), THREAD, context=waiting
    )
    left = [tool for tool in shop.tools if tool.name != "cancel_order"]
    graph = build(settings=settings, tools=left, checkpointer=checkpointer)
    state = await graph.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
    assert [step["status"] for step in state["plan"]] == ["finished", "failed"]
    assert "is not now" in state["plan"][1]["error"]
    assert state["messages"][-1].text == "Not now."
