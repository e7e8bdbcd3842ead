"""Talking to a server, and a plan whose last step waits until it is let go."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from langgraph_sdk.client import LangGraphClient

from tests.support.dev_server import DevServer
from tests.support.model_server import Reply
from tests.support.processes import wait_until

DOCUMENTS = {
    "returns.md": "# Returns\n\nUnworn boots can be returned within 60 days, at no cost.\n",
    "tents.md": "# Tents\n\nThe Heron tent sleeps two and weighs 1.9 kg.\n",
    "stores.txt": "Our store in Utrecht opens at ten.\n",
}


def ask(text: str) -> dict[str, Any]:
    """Return the input of a turn."""
    return {"messages": [{"role": "user", "content": text}]}


async def turn(client: LangGraphClient, thread: str, text: str, **options: Any) -> dict[str, Any]:
    """Return the thread's state after a turn."""
    state = await client.runs.wait(thread, "assistant", input=ask(text), **options)
    assert isinstance(state, dict)
    assert "__error__" not in state
    return state


def texts(state: dict[str, Any]) -> list[str]:
    """Return what was said, call results included."""
    return [message["content"] for message in state["messages"]]


def plan_that_hangs(name: str) -> Reply:
    """Return a plan of three writes, since reads would start ahead of it. The last one waits for `let_go`."""
    return Reply(calls=[("note", {"text": name}), ("note", {"text": "${1}"}), ("hang", {"text": "${2}"})])


def runs_of(server: DevServer, name: str) -> Counter[str]:
    """Return how often each tool ran with a text that begins as the plan's name does."""
    log = server.folder / "runs.log"
    return Counter(line for line in log.read_text().splitlines() if name in line) if log.exists() else Counter()


async def until_it_hangs(server: DevServer, name: str) -> None:
    """Wait until the last step of a plan that hangs has started."""
    await asyncio.to_thread(wait_until, lambda: f"hang {name}++" in runs_of(server, name))


def let_go(server: DevServer, name: str) -> None:
    """Let the last step of a plan that hangs finish."""
    (server.folder / f"{name}++.go").touch()
