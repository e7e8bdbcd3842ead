"""A process that dies by -9 around a model call: what it had finished is in the ledger once, when its turn has ended."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from agent.ledger.ledger import Ledger
from agent.ledger.records import Wanted, Who
from agent.settings import Settings
from tests.support.model_server import Reply

PLAN = Reply(calls=[("stock", {"sku": "A"})])
TURN = """
import asyncio, json, os, signal, sys
from langchain_core.tools import tool
from agent.checkpoints import open_checkpointer
from agent.ledger.store import Store
from agent.settings import Settings
from graphs.assistant import build

settings, die = Settings(**json.loads(sys.argv[1])), sys.argv[2]

@tool
def stock(sku: str) -> int:
    "Pieces."
    if die == "in the plan":
        os.kill(os.getpid(), signal.SIGKILL)
    return 14

stock.metadata = {"effect": "write", "honours_key": True}

def killed(self, who, made):
    os.kill(os.getpid(), signal.SIGKILL)

if die == "before the record":
    Store.record = killed
if die == "in the plan":
    Store.record = lambda self, who, made: None  # its thread does not come to it in time

async def main():
    thread = {"configurable": {"thread_id": "t"}}
    async with open_checkpointer(settings) as checkpointer:
        graph = build(settings=settings, tools=[stock], checkpointer=checkpointer)
        state = await graph.ainvoke({"messages": [("user", "?")]} if die else None, thread)
    print(json.dumps({"text": state["messages"][-1].text, "usage": state["usage"]}))

asyncio.run(main())
"""


@pytest.fixture
def turn(database, model_server):
    values = {"model": "compatible:x", "base_url": model_server.url, "approvals": {"*": "never"}}
    settings = json.dumps(database | values | {"budgets": {"day": {"tokens": 1_000_000}}}, default=str)

    def run(die=""):
        command = [sys.executable, "-c", TURN, settings, die]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == (-9 if die else 0), done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return run


async def ids(database):
    ledger = Ledger(Settings(**database))
    return {each.key: each.calls for each in await ledger.used(Wanted("node"))}


async def test_a_call_whose_plan_was_kept_is_recorded_by_the_process_that_goes_on(turn, database, model_server):
    model_server.will(PLAN)
    turn("in the plan")
    assert await ids(database) == {}
    model_server.will("14.")
    ended = turn()
    assert ended["text"] == "14."
    assert await ids(database) == {"planner": 1, "responder": 1}
    assert [call["node"] for call in ended["usage"]["calls"]] == ["planner", "responder"]


async def test_what_a_call_may_have_used_that_nobody_recorded_stays_reserved_for_a_while(turn, database, model_server):
    model_server.will(PLAN)
    turn("before the record")
    settings = Settings(**database, budgets={"day": {"tokens": 1_000_000}})
    [day] = await Ledger(settings).standing(Who(), settings.budgets.limits())
    assert day.tokens > 1_000
    model_server.will(PLAN, "14.")
    assert turn()["text"] == "14."
    assert await ids(database) == {"planner": 1, "responder": 1}
