"""The demo: an example company's documents and orders, and four questions that show what a plan is."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.text import Text

from agent.context import Context
from agent.knowledge.library import open_base
from agent.settings import Settings
from service.chat import prepare, shown
from service.console import progress
from service.conversation import Answer, Conversation, Desk

QUESTIONS = 4


async def run_demo(settings: Settings, console: Console, own: list[str], *, as_json: bool) -> bool:
    """Ask the example company's assistant and show each turn. Returns whether a model answered all of them.

    Args:
        settings: the settings; the demo keeps its data in a folder of its own below theirs.
        console: where to show it.
        own: what to ask instead of the four questions, if anything.
        as_json: whether to print one line of JSON for each answer.
    """
    shop, files = _shop()
    settings = settings.model_copy(update={"data_dir": settings.data_dir / "demo"})
    orders = settings.data_dir / "orders.sqlite"
    await asyncio.to_thread(_make, orders)
    aside = Console(stderr=True, quiet=as_json)
    with progress(aside, "Reading the documents") as report:
        knowledge = await open_base(settings, progress=report)
        await knowledge.index(files / "docs", progress=report)
    await prepare(settings, Context(), quiet=as_json)
    asked = own or await asyncio.to_thread(_questions, files)
    good = True
    async with Desk(settings, tools=shop.shop_tools(orders), knowledge=knowledge) as desk:
        for question in asked:
            if not as_json:
                console.print(Text.assemble("\n", ("› ", "cyan"), (question, "bold")))
            conversation = Conversation(desk.graph, Context())
            answer = await shown(conversation, conversation.turn(question), console, json=as_json)
            good = good and isinstance(answer, Answer) and answer.degraded is None
    await knowledge.close()
    if not as_json:
        console.print(
            Text("\nAsk your own: selfhelp demo --question '…'. Your documents: selfhelp index FOLDER, selfhelp chat.")
        )
    return good


def _shop() -> tuple[ModuleType, Path]:
    """Return the example company's tools and folder: from the checkout, or as installed with the package."""
    try:
        module = import_module("examples.shop.tools")
    except ModuleNotFoundError:
        module = import_module("service.shop.tools")
    return module, Path(str(module.__file__)).parent


def _make(orders: Path) -> None:
    create = import_module(_shop()[0].__name__.replace(".tools", ".orders")).create
    orders.parent.mkdir(parents=True, exist_ok=True)
    create(orders)


def _questions(files: Path) -> list[str]:
    lines = (files / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines[:QUESTIONS]]
