"""Tools of MCP servers in a turn: planned, referred to, approved, done once, and there again when their server is."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.checkpoints import open_checkpointer
from graphs.assistant import build
from tests.support.model_server import Reply
from tests.tools.mcp.conftest import is_alive
from tools.mcp import servers

THREAD = {"configurable": {"thread_id": "1"}}
QUESTION = {"messages": [("user", "Look this up and keep its length.")]}
PLAN = Reply(calls=[("look", {"text": "four"}), ("keep", {"text": "It has ${1.length} letters."})])
APPROVE = Command(resume={"decisions": [{"type": "approve"}]})


@pytest.fixture
def deployment(settings, unruly):
    server = unruly(trust_annotations=True)
    return settings.model_copy(update={"mcp": [server], "approvals": {}})


async def test_a_write_waits_for_a_person_and_is_done_once(deployment, model_server, log):
    model_server.will(PLAN, "Kept.")
    async with open_checkpointer(deployment) as checkpointer:
        graph = build(settings=deployment, checkpointer=checkpointer)
        state = await graph.ainvoke(QUESTION, THREAD)
        [action] = state["__interrupt__"][0].value["action_requests"]
        assert action["args"] == {"text": "It has 4 letters."}
        assert action["description"].startswith("keep of the MCP server files")
        assert log.calls == ["look"]
        state = await graph.ainvoke(APPROVE, THREAD)
    assert [step["status"] for step in state["plan"]] == ["finished", "finished"]
    assert log.calls == ["look", "keep"]


async def test_a_write_whose_server_died_is_not_sent_again_by_itself(deployment, model_server, log):
    model_server.will(Reply(calls=[("die", {})]), "I do not know.")
    settings = deployment.model_copy(update={"approvals": {"MCP": "never"}})
    state = await build(settings=settings, checkpointer=InMemorySaver()).ainvoke(QUESTION, THREAD)
    [step] = state["plan"]
    assert step["status"] == "failed"
    assert "whether it took effect is not known" in step["error"]
    assert log.calls == ["die"]


async def test_a_tool_whose_name_is_taken_gets_its_servers_name_in_front(deployment, unruly, model_server, log):
    model_server.will(Reply(calls=[("calculator", {"expression": "6*7"}), ("files_calculator", {})]), "Done.")
    update = {"mcp": [unruly(include=["calculator"])], "approvals": {"*": "never"}}
    settings = deployment.model_copy(update=update)
    state = await build(settings=settings).ainvoke(QUESTION)
    assert [step["status"] for step in state["plan"]] == ["finished", "finished"]
    assert log.calls == ["calculator"]


async def test_a_server_that_is_not_there_is_left_out_and_used_when_it_is(
    deployment, unruly, model_server, log, caplog, monkeypatch, tmp_path
):
    monkeypatch.setattr(servers, "PAUSE", 0)
    command = tmp_path / "server"
    absent = unruly(command=str(command), name="later", trust_annotations=True, include=["look"])
    settings = deployment.model_copy(update={"mcp": [absent, unruly(include=["keep"])], "approvals": {"*": "never"}})
    graph = build(settings=settings, checkpointer=InMemorySaver())
    model_server.will(Reply(calls=[("keep", {"text": "a"})]), "Kept.")
    state = await graph.ainvoke(QUESTION, THREAD)
    assert state["plan"][0]["status"] == "finished"
    assert caplog.text.count("the MCP server later is left out for now: it ended:") == 1

    command.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, *unruly().args])}\n")
    command.chmod(0o700)
    model_server.will(Reply(calls=[("look", {"text": "b"})]), "Looked.")
    state = await graph.ainvoke(QUESTION, THREAD)
    assert state["plan"][0]["status"] == "finished"
    assert log.calls == ["keep", "look"]


async def test_a_server_that_died_between_turns_is_connected_again(deployment, model_server, log):
    settings = deployment.model_copy(update={"approvals": {"*": "never"}})
    graph = build(settings=settings, checkpointer=InMemorySaver())
    for text in ("a", "b"):
        model_server.will(Reply(calls=[("keep", {"text": text})]), "Kept.")
        state = await graph.ainvoke(QUESTION, THREAD)
        assert state["plan"][0]["status"] == "finished"
        os.kill(log.processes[-1], signal.SIGKILL)
        async with asyncio.timeout(60):
            while is_alive(log.processes[-1]):
                await asyncio.sleep(0)
    assert len(log.processes) == 2


def test_synchronous_callers_use_them_too(deployment, model_server, log):
    settings = deployment.model_copy(update={"approvals": {"*": "never"}})
    graph = build(settings=settings)
    for _ in range(2):
        model_server.will(Reply(calls=[("look", {"text": "a"})]), "Looked.")
        assert graph.invoke(QUESTION)["plan"][0]["status"] == "finished"
    assert len(log.processes) == 1
