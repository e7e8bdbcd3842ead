"""Surroundings: the tools, documents and settings that cases run in."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.library import open_base
from agent.models.providers import Progress
from agent.settings import Settings
from service.demo import example_shop, make_orders, served, shop_token

# What the example company lets its assistant do.
OPERATIONS = ["findCustomers", "getCustomer", "createRefund", "cancelOrder", "changeDeliveryAddress", "reserveStock"]
# The documents that contradict each other, and those that give orders, beside the company's own.
WITH_DOUBTFUL = "eval"


class Surroundings(Protocol):
    """Gives each case what it runs in."""

    settings: Settings

    def fresh(self) -> AbstractAsyncContextManager[dict[str, Any]]:
        """Return the arguments of a graph's `build`, for one case."""
        ...


class Deployment:
    """The deployment's own tools and documents. Writes that a case approves take effect in them.

    Args:
        settings: the settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[dict[str, Any]]:
        """Give what the settings name. It is the same for all cases."""
        yield {"settings": self.settings}


class Company:
    """The example company: its documents, and for each case orders and a backend that no other case sees.

    Args:
        settings: the deployment's settings, of which only models, personas and defaults are followed.
        knowledge: the company's documents.
        orders: the database that each case gets a copy of.
    """

    def __init__(self, settings: Settings, knowledge: KnowledgeBase, orders: Path) -> None:
        self.settings = settings
        self._knowledge = knowledge
        self._orders = orders

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings, progress: Progress) -> AsyncIterator[Company]:
        """Read the documents, and give the company until the context ends.

        Args:
            settings: the settings.
            progress: is told how many documents of how many are read.
        """
        settings = settings.model_copy(
            update={"data_dir": settings.data_dir / "eval", "tools": [], "mcp": [], "apis": []}
        )
        files = example_shop()[1]
        knowledge = await open_base(settings, progress=progress)
        try:
            await knowledge.index(files / "docs", progress=progress)
            for folder in ("docs", "eval_docs"):
                await knowledge.index(files / folder, collection=WITH_DOUBTFUL, progress=progress)
            orders = settings.data_dir / "orders.sqlite"
            await asyncio.to_thread(make_orders, orders)
            with shop_token():
                yield cls(settings, knowledge, orders)
        finally:
            await knowledge.close()

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[dict[str, Any]]:
        """Give a copy of the orders and a backend over it, both gone afterwards."""
        with TemporaryDirectory(prefix="selfhelp-eval-") as folder:
            orders = Path(folder, "orders.sqlite")
            await asyncio.to_thread(shutil.copy, self._orders, orders)
            async with _in_thread(served(orders, OPERATIONS)) as api:
                tools = example_shop()[0].shop_tools(orders)
                settings = self.settings.model_copy(update={"data_dir": Path(folder, "data"), "apis": [api]})
                yield {"settings": settings, "tools": tools, "knowledge": self._knowledge}


@asynccontextmanager
async def _in_thread(context: Any) -> AsyncIterator[Any]:
    """Enter and leave a context manager that takes its time, without holding up the event loop."""
    value = await asyncio.to_thread(context.__enter__)
    try:
        yield value
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
