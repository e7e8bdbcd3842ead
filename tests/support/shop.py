"""Small tools that count how often they run."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from langchain_core.tools import BaseTool, ToolException, tool

from tools.effects import reads

PRICES = {"A": 12.5, "B": 4.0, "C": 100.0}


class Shop:
    """Order and product tools, with a count of every execution and events that hold some of them back."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.order_started = asyncio.Event()
        self.hold = asyncio.Event()

    @property
    def tools(self) -> list[BaseTool]:
        @reads
        @tool
        async def order(order_id: int) -> dict[str, Any]:
            """Get an order."""
            self.runs["order"] += 1
            self.order_started.set()
            if order_id == 404:
                raise ToolException("no order 404")
            return {"id": order_id, "customer": "Ada", "lines": [{"sku": "A", "n": 2}, {"sku": "B", "n": 1}]}

        @reads
        @tool
        async def price(sku: str) -> float:
            """Price of one product."""
            self.runs["price"] += 1
            return PRICES[sku]

        @reads
        @tool
        async def total(prices: list[float]) -> float:
            """Sum of prices."""
            self.runs["total"] += 1
            return sum(prices)

        @reads
        @tool
        async def slow(text: str = "") -> str:
            """Wait until it is let go."""
            self.runs["slow"] += 1
            await self.hold.wait()
            return f"slow {text}"

        @tool
        async def cancel_order(order_id: int) -> str:
            """Cancel an order."""
            self.runs["cancel_order"] += 1
            return f"cancelled {order_id}"

        return [order, price, total, slow, cancel_order]
