"""Runs of a plan with two writes, each in a fork of its own that dies by -9 where it is told to.

A line of JSON on standard input is one run; a line of JSON on standard output is what came of it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import signal
import sys
from pathlib import Path

from langchain_core.tools import tool
from langgraph.types import Command

from agent.checkpoints import open_checkpointer
from agent.effects import idempotency_key
from agent.intents import PostgresIntents, SqliteIntents
from agent.settings import Settings
from graphs.assistant import build
from tools.openapi.connections import GuardedTransport
from tools.openapi.requests import director

BOUNDARIES = ["before intent", "after intent", "request left", "response there", "outcome recorded"]


class Backend:
    """What the writes act on: a log of effects, to which a key is added once only where keys are honoured."""

    def __init__(self, log: Path, honours: bool) -> None:
        self.log = log
        self.honours = honours

    def act(self, name: str) -> str:
        key = idempotency_key.get()
        entries = self.log.read_text().splitlines() if self.log.exists() else []
        if not (self.honours and any(json.loads(entry)["key"] == key for entry in entries)):
            with self.log.open("a") as log:
                log.write(json.dumps({"name": name, "key": key}) + "\n")
        return f"{name} done"


def tools_of(backend: Backend, die: dict) -> list:
    def act(name: str) -> str:
        if die == {"write": name, "at": "after intent"}:
            os.kill(os.getpid(), signal.SIGKILL)
        done = backend.act(name)
        if die == {"write": name, "at": "request left"}:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    @tool
    def first() -> str:
        """Do the first thing."""
        return act("first")

    @tool
    def second(after: str) -> str:
        """Do the second thing."""
        return act("second")

    for each in (first, second):
        each.metadata = {"effect": "write", "honours_key": backend.honours}
    return [first, second]


def die_around_the_record(record: type, die: dict) -> None:
    """Make the process die before an intent is recorded, before its outcome is, or behind that."""
    begin, finish = record.begin, record.finish
    of_write: set[str] = set()

    def boundary(key, at):
        if key in of_write and die["at"] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    async def dying_begin(self, key, call_id, request, attempt):
        # A tool's request is `first({})`, an API's `POST http://…/refunds` with headers and body below.
        if die and re.split(r"[(\n]", request)[0].endswith(die["write"]):
            of_write.add(key)
        boundary(key, "before intent")
        await begin(self, key, call_id, request, attempt)

    async def dying_finish(self, key, outcome):
        boundary(key, "response there")
        await finish(self, key, outcome)
        boundary(key, "outcome recorded")

    record.begin = dying_begin
    record.finish = dying_finish


def die_around_the_request(die: dict) -> None:
    """Make the process die before a request to an API leaves, or when it has been answered and nothing of that is read."""
    send = GuardedTransport.handle_async_request

    async def dying_send(self, request):
        of_write = request.method == "POST" and request.url.path == die.get("write")
        if of_write and die["at"] == "after intent":
            os.kill(os.getpid(), signal.SIGKILL)
        response = await send(self, request)
        if of_write and die["at"] == "request left":
            os.kill(os.getpid(), signal.SIGKILL)
        return response

    GuardedTransport.handle_async_request = dying_send


async def run(given: dict) -> dict:
    folder = Path(given["folder"])
    settings = Settings(
        model="compatible:x",
        base_url=given["url"],
        data_dir=folder / "data",
        database_url=given["database"],
        approvals={"*": given["approvals"]},
        apis=given["apis"],
    )
    die_around_the_request(given["die"])
    die_around_the_record(PostgresIntents if given["database"] else SqliteIntents, given["die"])
    async with open_checkpointer(settings) as checkpointer:
        tools = [] if given["apis"] else tools_of(Backend(folder / "effects.log", given["honours"]), given["die"])
        graph = build(tools=tools, settings=settings, checkpointer=checkpointer)
        thread = {"configurable": {"thread_id": folder.name}}
        goes_on = {"start": {"messages": [("user", "Do both.")]}, "go on": None}
        asked = goes_on.get(given["do"], Command(resume={"decisions": [{"type": given["do"]}]}))
        state = await graph.ainvoke(asked, thread)
    asks = [action for each in state.get("__interrupt__", ()) for action in each.value["action_requests"]]
    errors = " ".join(step["error"] or "" for step in state["plan"])
    return {
        "asks": asks,
        "errors": errors,
        "statuses": [step["status"] for step in state["plan"]],
        "text": state["messages"][-1].text,
    }


def main() -> None:
    # Imported once here rather than in every fork.
    for name in ("langchain_openai", "langgraph.checkpoint.postgres.aio", "openai.resources.chat"):
        importlib.import_module(name)
    director()
    for line in sys.stdin:
        out, into = os.pipe()
        if (pid := os.fork()) == 0:
            os.write(into, json.dumps(asyncio.run(run(json.loads(line)))).encode())
            os._exit(0)
        os.close(into)
        with os.fdopen(out) as answer:
            told = answer.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status)
        sys.stdout.write((json.dumps({"killed": True}) if killed else told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
