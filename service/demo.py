"""The demo: an example company's documents, orders and API, and five questions that show what a plan is."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.text import Text

from agent.apis import ApiSettings, BearerAuth
from agent.context import Context
from agent.knowledge.library import open_base
from agent.settings import Settings
from service.approvals import Decision, decide
from service.chat import prepare, shown
from service.console import progress
from service.conversation import Answer, Conversation, Desk, Question

QUESTIONS = 4
REFUND = "Refund order 1042, and tell me what is left on the customer's account"
TOKEN = "SHOP_TOKEN"  # noqa: S105 - the variable's name
OPERATIONS = ["createRefund", "getCustomer"]
NOBODY = "\nNobody is here to approve this, so it was not done. `selfhelp demo --yes` approves it."

# FastAPI writes an app's OpenAPI document when it is first asked for, and fails where several do so at once.
_making = threading.Lock()

Decide = Callable[[Sequence[dict[str, Any]]], Sequence[Decision]]


async def run_demo(settings: Settings, console: Console, own: list[str], *, yes: bool, as_json: bool) -> bool:
    """Ask the example company's assistant and show each turn. Returns whether a model answered all of them.

    Args:
        settings: the settings; the demo keeps its data in a folder of its own below theirs.
        console: where to show it.
        own: what to ask instead of the five questions, if anything.
        yes: whether writes are approved without asking.
        as_json: whether to print one line of JSON for each answer.
    """
    shop, files = example_shop()
    settings = settings.model_copy(update={"data_dir": settings.data_dir / "demo"})
    orders = settings.data_dir / "orders.sqlite"
    await asyncio.to_thread(make_orders, orders)
    aside = Console(stderr=True, quiet=as_json)
    with progress(aside, "Reading the documents") as report:
        knowledge = await open_base(settings, progress=report)
        await knowledge.index(files / "docs", progress=report)
    await prepare(settings, Context(), quiet=as_json)
    asked = own or [*await asyncio.to_thread(_questions, files), REFUND]
    decisions = _decisions(console, yes=yes, as_json=as_json)
    good = True
    with backend(orders) as api:
        settings = settings.model_copy(update={"apis": [api]})
        async with Desk(settings, tools=shop.shop_tools(orders), knowledge=knowledge) as desk:
            for question in asked:
                if not as_json:
                    console.print(Text.assemble("\n", ("› ", "cyan"), (question, "bold")))
                outcome = await turn(Conversation(desk.graph, Context()), question, decisions, console, as_json=as_json)
                good = good and (isinstance(outcome, Question) or outcome.degraded is None)
    await knowledge.close()
    if not as_json:
        console.print(
            Text("\nAsk your own: selfhelp demo --question '…'. Your documents: selfhelp index FOLDER, selfhelp chat.")
        )
    return good


async def turn(
    conversation: Conversation, question: str, decisions: Decide | None, console: Console, *, as_json: bool
) -> Answer | Question:
    """Show a turn, with a person's decisions about its writes, as far as it gets.

    Args:
        conversation: the conversation.
        question: what is asked.
        decisions: decides on writes; None where nobody can.
        console: where to show it.
        as_json: whether to print the answer as JSON.
    """
    outcome = await shown(conversation, conversation.turn(question), console, json=as_json)
    while isinstance(outcome, Question):
        if decisions is None:
            if not as_json:
                console.print(Text("\n\n".join(action["description"] for action in outcome.actions)))
                console.print(Text(NOBODY))
            return outcome
        decided = await asyncio.to_thread(decisions, outcome.actions)
        outcome = await shown(conversation, conversation.decide(outcome, decided), console, json=as_json)
    return outcome


@contextmanager
def backend(database: Path) -> Iterator[ApiSettings]:
    """Run the company's backend on loopback, in a thread, and give what an assistant needs to use it.

    Args:
        database: its SQLite file.
    """
    with shop_token(), served(database, OPERATIONS) as api:
        yield api


@contextmanager
def shop_token() -> Iterator[None]:
    """Keep a new token for the company's backends in the environment."""
    os.environ[TOKEN] = secrets.token_urlsafe(32)
    try:
        yield
    finally:
        del os.environ[TOKEN]


@contextmanager
def served(database: Path, operations: Sequence[str]) -> Iterator[ApiSettings]:
    """Run a backend of the company with the token that is in the environment.

    Args:
        database: its SQLite file.
        operations: names of the operations that an assistant may use.
    """
    import uvicorn

    with _making:
        app = import_module(example_shop()[0].__name__.replace(".tools", ".backend")).create_app(database)
        app.openapi()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield ApiSettings(
                name="shop",
                spec=f"http://127.0.0.1:{listening.getsockname()[1]}/openapi.json",
                auth=BearerAuth(bearer_env=TOKEN),
                include=list(operations),
            )
        finally:
            server.should_exit = True
            thread.join()


def _decisions(console: Console, *, yes: bool, as_json: bool) -> Decide | None:
    if yes:
        return lambda actions: [{"type": "approve"} for _ in actions]
    if as_json or not sys.stdin.isatty():
        return None
    return lambda actions: decide(actions, console)


def example_shop() -> tuple[ModuleType, Path]:
    """Return the example company's tools and folder: from the checkout, or as installed with the package."""
    try:
        module = import_module("examples.shop.tools")
    except ModuleNotFoundError:
        module = import_module("service.shop.tools")
    return module, Path(str(module.__file__)).parent


def make_orders(orders: Path) -> None:
    """Write the company's orders to a file."""
    create = import_module(example_shop()[0].__name__.replace(".tools", ".orders")).create
    orders.parent.mkdir(parents=True, exist_ok=True)
    create(orders)


def _questions(files: Path) -> list[str]:
    lines = (files / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines[:QUESTIONS]]
