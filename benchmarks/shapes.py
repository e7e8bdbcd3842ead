"""The turns that are measured: a question, its plan, and what a ReAct loop makes of the same plan."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool

from agent.context import Context
from agent.planning.plan import Call, resolve
from agent.planning.references import render, substitute
from agent.toolset import BoundTool
from tests.support.model_server import Reply
from tools.effects import reads

Calls = tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Shape:
    """One kind of turn.

    Args:
        name: what the plan looks like.
        question: what the person asks.
        plan: the calls, with references.
        answer: the answer, which may refer to results.
        replies: whether the plan writes the answer itself.
    """

    name: str
    question: str
    plan: Calls
    answer: str
    replies: bool = False

    @property
    def planned(self) -> list[Reply]:
        """The model's replies where it plans: every call in one, then the answer."""
        if self.replies:
            return [Reply(calls=[*self.plan, ("reply", {"text": self.answer})])]
        return [*([Reply(calls=self.plan)] if self.plan else []), Reply(text=self.text)]

    @property
    def looped(self) -> list[Reply]:
        """The model's replies in a ReAct loop: a reply for each depth of the plan, then the answer."""
        rounds: dict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        depths: dict[int, int] = {}
        for call in self._calls:
            depths[call.number] = 1 + max((depths[number] for number in call.depends), default=0)
            rounds[depths[call.number]] += [(call.tool, args) for args in _executions(call, self._results)]
        return [*(Reply(calls=calls) for calls in rounds.values()), Reply(text=self.text)]

    @property
    def text(self) -> str:
        """The answer with results in the place of references."""
        return render(substitute(self.answer, lambda reference: reference.value(self._results)))

    @property
    def _calls(self) -> list[Call]:
        return [Call(number, "", tool, args) for number, (tool, args) in enumerate(self.plan, start=1)]

    @property
    def _results(self) -> dict[int, Any]:
        results: dict[int, Any] = {}
        for call in self._calls:
            function, resolved = FUNCTIONS[call.tool], _resolved(call, results)
            fans_out = isinstance(resolved, list)
            results[call.number] = [function(**args) for args in resolved] if fans_out else function(**resolved)
        return results


def shop_tools(seconds: float) -> list[BaseTool]:
    """Return the tools, each of which takes so many seconds."""
    return [reads(_delayed(function, seconds)) for function in FUNCTIONS.values()]


def customer(email: str) -> dict[str, Any]:
    """Find a customer by e-mail address."""
    address = {"street": "Lindenlaan 12", "postcode": "3512 AB", "city": "Utrecht", "country": "NL"}
    return {"id": 311, "name": "Ada Perez", "email": email, "address": address, "since": 2019, "orders": [7, 8, 9]}


def order(order_id: int) -> dict[str, Any]:
    """Get an order with its lines."""
    tent = {"sku": "TENT-2", "name": "Heron 2 tent", "quantity": 1, "unit_price": 189.0, "line_total": 189.0}
    mug = {"sku": "MUG", "name": "Enamel mug, blue", "quantity": 2, "unit_price": 4.5, "line_total": 9.0}
    head = {"id": order_id, "status": "shipped", "placed": "2026-11-02", "customer": 311, "lines": [tent, mug]}
    return {**head, "shipping": 0.0, "total": 198.0, "tracking": f"SW{order_id}NL"}


def shipment(tracking: str) -> dict[str, Any]:
    """Follow a shipment."""
    events = [{"at": "2026-11-03 07:40", "place": "Breda"}, {"at": "2026-11-04 06:55", "place": "Utrecht"}]
    head = {"tracking": tracking, "carrier": "Swift", "status": "in transit", "events": events}
    return {**head, "depot": "Utrecht", "days": 2}


def depot(name: str) -> dict[str, Any]:
    """Get the address and the opening hours of a depot."""
    hours = {"weekdays": "08:00-18:00", "saturday": "09:00-13:00", "sunday": None}
    return {"name": name, "street": "Kade 4", "postcode": "3511 CD", "telephone": "030 555 0102", "open": hours}


def price(sku: str) -> float:
    """Get the price of a product."""
    return {"TENT-2": 189.0, "MUG": 4.5, "STOVE": 79.9, "LAMP": 24.0}[sku]


def total(numbers: list[float]) -> float:
    """Add numbers up."""
    return sum(numbers)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (customer, order, shipment, depot, price, total)
}

SHAPES = (
    Shape("no tool", "Hello, who are you?", (), "I am the help desk. Ask me about orders, deliveries and prices."),
    Shape(
        "lookup with reply",
        "What does order 7 come to?",
        (("order", {"order_id": 7}),),
        "Order ${1.id} of ${1.placed} comes to ${1.total} euros.",
        replies=True,
    ),
    Shape(
        "one tool",
        "What is in order 7?",
        (("order", {"order_id": 7}),),
        "Order 7 holds a tent at 189 euros and two mugs at 4.50 euros each.",
    ),
    Shape(
        "chain of 4",
        "I am ada@example.com. When can I call the depot that has my latest parcel?",
        (
            ("customer", {"email": "ada@example.com"}),
            ("order", {"order_id": "${1.orders[0]}"}),
            ("shipment", {"tracking": "${2.tracking}"}),
            ("depot", {"name": "${3.depot}"}),
        ),
        "Your parcel is at the depot in Utrecht, which you reach at 030 555 0102 between 08:00 and 18:00.",
    ),
    Shape(
        "4 parallel",
        "What do TENT-2, MUG, STOVE and LAMP cost?",
        tuple(("price", {"sku": sku}) for sku in ("TENT-2", "MUG", "STOVE", "LAMP")),
        "The tent costs 189 euros, the mug 4.50, the stove 79.90 and the lamp 24.",
    ),
    Shape(
        "3 then 1",
        "What do TENT-2, MUG and STOVE come to together?",
        (
            *(("price", {"sku": sku}) for sku in ("TENT-2", "MUG", "STOVE")),
            ("total", {"numbers": ["${1}", "${2}", "${3}"]}),
        ),
        "Together they come to 273.40 euros.",
    ),
    Shape(
        "2+2+1",
        "In how many days are the parcels of orders 7 and 8 here, added up?",
        (
            ("order", {"order_id": 7}),
            ("order", {"order_id": 8}),
            ("shipment", {"tracking": "${1.tracking}"}),
            ("shipment", {"tracking": "${2.tracking}"}),
            ("total", {"numbers": ["${3.days}", "${4.days}"]}),
        ),
        "Added up it is four days, two for each of the parcels.",
    ),
    Shape(
        "fan-out",
        "I am ada@example.com. What did each of my orders come to?",
        (("customer", {"email": "ada@example.com"}), ("order", {"order_id": "${1.orders[*]}"})),
        "Orders 7, 8 and 9 came to 198 euros each.",
    ),
)


@cache
def _parameters(tool: str) -> Any:
    return BoundTool(_delayed(FUNCTIONS[tool], 0)).parameters


def _delayed(function: Callable[..., Any], seconds: float) -> BaseTool:
    @wraps(function)
    async def delayed(**args: Any) -> Any:
        await asyncio.sleep(seconds)
        return function(**args)

    return StructuredTool.from_function(coroutine=delayed)


def _resolved(call: Call, results: dict[int, Any]) -> Any:
    return resolve(call.args, _parameters(call.tool), results, Context().max_fan_out)


def _executions(call: Call, results: dict[int, Any]) -> list[dict[str, Any]]:
    resolved = _resolved(call, results)
    return resolved if isinstance(resolved, list) else [resolved]
