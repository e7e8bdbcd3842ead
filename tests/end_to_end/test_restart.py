"""What a thread is after the server's process was killed."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import time
import uuid
from contextlib import closing

import pytest
from langgraph_sdk import get_client

from tests.end_to_end.conversation import ask, let_go, plan_that_hangs, runs_of, texts, turn, until_it_hangs
from tests.support.dev_server import DevServer, running
from tests.support.model_server import Reply
from tests.support.processes import wait_until

# The server is started twice.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def own_server(model_server, tmp_path):
    with running(DevServer(tmp_path, model_server.url)) as server:
        yield server
        assert server.complaints() == []


@pytest.fixture
def thread():
    return str(uuid.uuid4())


async def run_until_it_hangs(server, thread, name):
    """Have a turn, then a plan that hangs, and return the run's id once the two steps before are in the database."""
    async with get_client(url=server.url) as client:
        await client.threads.create(thread_id=thread, graph_id="assistant")
        await turn(client, thread, "hi")
        run = await client.runs.create(thread, "assistant", input=ask("go"))
        await until_it_hangs(server, name)
        await asyncio.to_thread(wait_until, lambda: persisted_steps(server) == 2)
        return run["run_id"]


def persisted_steps(server):
    with closing(sqlite3.connect(f"file:{server.threads_file}?mode=ro", uri=True)) as connection:
        return connection.execute("select count(*) from writes where channel = '__return__'").fetchone()[0]


async def test_after_kill_9_in_mid_plan_the_thread_is_there_and_the_next_turn_works(
    own_server, model_server, thread, name
):
    def sees_results(body):
        results = [m["content"] for m in body["messages"] if m["role"] == "tool"]
        assert results[:2] == [f"{name}+", f"{name}++"]
        assert "cut off" in results[2]

    model_server.will("Hello!", plan_that_hangs(name), Reply(text="Two of three are done.", check=sees_results))
    await run_until_it_hangs(own_server, thread, name)
    own_server.end(signal.SIGKILL)
    # As after a kill in the ten seconds before the server writes its own records.
    shutil.rmtree(own_server.own_records)
    own_server.start()
    async with get_client(url=own_server.url) as client:
        await client.threads.create(thread_id=thread, graph_id="assistant", if_exists="do_nothing")
        state = await client.threads.get_state(thread)
        assert texts(state["values"]) == ["hi", "Hello!", "go", ""]
        assert state["next"] == ["executor"]
        state = await turn(client, thread, "and?")
    assert texts(state)[-1] == "Two of three are done."
    assert set(runs_of(own_server, name).values()) == {1}


async def test_after_kill_9_a_run_that_the_server_remembers_goes_on_where_it_was(
    own_server, model_server, thread, name
):
    model_server.will("Hello!", plan_that_hangs(name), "All done.")
    run = await run_until_it_hangs(own_server, thread, name)
    hangs_since = time.time()
    records = own_server.own_records / ".langgraph_ops.pckl"
    await asyncio.to_thread(wait_until, lambda: records.exists() and records.stat().st_mtime > hangs_since)
    own_server.end(signal.SIGKILL)
    let_go(own_server, name)
    own_server.start()
    async with get_client(url=own_server.url) as client:
        state = await client.runs.join(thread, run)
    assert texts(state) == ["hi", "Hello!", "go", "", f"{name}+", f"{name}++", f"{name}+++", "All done."]
    assert runs_of(own_server, name) == {f"note {name}": 1, f"note {name}+": 1, f"hang {name}++": 2}
