"""The turns that are measured: a question, its plan, and what a ReAct loop makes of the same plan."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, wraps
from inspect import signature
from typing import Any
from zlib import crc32

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from agent.context import Context
from agent.planning.plan import Call, resolve
from agent.planning.references import render, substitute
from agent.toolset import BoundTool
from tests.support.model_server import Reply
from tools.effects import reads

Calls = Sequence[tuple[str, dict[str, Any]]]
Execution = tuple[str, dict[str, Any]]
Latency = Callable[[str, dict[str, Any]], float]

ORDERS_OF_BEA = 20
WRITES = frozenset({"refund"})


@dataclass(frozen=True)
class Shape:
    """One kind of turn.

    Args:
        name: what the plan looks like.
        question: what the person asks.
        plan: the calls, with references.
        answer: the answer, which refers to results of the last plan.
        mended: what is planned once a call of `plan` has failed.
        approved: whether a person is asked, and approves at once.
    """

    name: str
    question: str
    plan: Calls
    answer: str
    mended: Calls = ()
    approved: bool = False

    @property
    def planned(self) -> list[Reply]:
        """The model's replies where it plans: every call in one, then the answer."""
        return [*(Reply(calls=plan) for plan in self._plans), Reply(text=self.text)]

    @property
    def replied(self) -> list[Reply]:
        """The model's replies where the last plan writes the answer too."""
        if not self.plan:
            return self.planned
        *before, last = self._plans
        return [*(Reply(calls=plan) for plan in before), Reply(calls=[*last, ("reply", {"text": self.answer})])]

    @property
    def looped(self) -> list[Reply]:
        """The model's replies in a ReAct loop: a reply for each depth of a plan, then the answer."""
        return [*(Reply(calls=calls) for plan in self._plans for calls in _depths(plan)), Reply(text=self.text)]

    @property
    def executions(self) -> int:
        """How many executions of tools it takes."""
        return sum(len(reply.calls) for reply in self.looped)

    @property
    def text(self) -> str:
        """The answer with results in the place of references."""
        _, results = run(self._plans[-1] if self.plan else ())
        return render(substitute(self.answer, lambda reference: reference.value(results)))

    @property
    def _plans(self) -> list[Calls]:
        return [plan for plan in (self.plan, self.mended) if plan]


def run(plan: Calls) -> tuple[list[list[Execution]], dict[int, Any]]:
    """Run a plan whose calls take no time.

    Args:
        plan: the calls, with references.

    Returns:
        The executions of each call, several where it fans out, and the results by number; a call that fails has none.
    """
    executions: list[list[Execution]] = []
    results: dict[int, Any] = {}
    for call in _numbered(plan):
        if call.tool not in FUNCTIONS:
            continue
        resolved = resolve(call.args, _parameters(call.tool), results, Context().max_fan_out)
        fans_out = isinstance(resolved, list)
        executions.append([(call.tool, args) for args in (resolved if fans_out else [resolved])])
        with suppress(ToolException):
            values = [FUNCTIONS[tool](**args) for tool, args in executions[-1]]
            results[call.number] = values if fans_out else values[0]
    return executions, results


def shop_tools(latency: Latency) -> list[BaseTool]:
    """Return the tools as LangChain has them.

    Args:
        latency: seconds that a call takes.
    """
    tools: list[BaseTool] = [StructuredTool.from_function(coroutine=each) for each in delayed(latency)]
    return [each if each.name in WRITES else reads(each) for each in tools]


def delayed(latency: Latency) -> list[Callable[..., Any]]:
    """Return the functions of the tools as coroutine functions that take their time.

    Args:
        latency: seconds that a call takes.
    """
    return [_delayed(function, latency) for function in FUNCTIONS.values()]


def customer(email: str) -> dict[str, Any]:
    """Find a customer by e-mail address."""
    address = {"street": "Lindenlaan 12", "postcode": "3512 AB", "city": "Utrecht", "country": "NL"}
    orders = [7, 8, 9] if email.startswith("ada") else list(range(1, ORDERS_OF_BEA + 1))
    return {"id": 311, "name": "A. Perez", "email": email, "address": address, "since": 2019, "orders": orders}


def order(order_id: int) -> dict[str, Any]:
    """Get an order with its lines."""
    if order_id > ORDERS_OF_BEA:
        raise ToolException(f"There is no order {order_id}.")
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
    return float(sum(numbers))


def refund(order_id: int, amount: float) -> dict[str, Any]:
    """Pay money of an order back."""
    return {"id": f"R{order_id}", "order": order_id, "amount": amount, "status": "paid"}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (customer, order, shipment, depot, price, total, refund)
}

SHAPES = (
    Shape("no tool", "Hello, who are you?", (), "I am the help desk. Ask me about orders, deliveries and prices."),
    Shape(
        "one tool",
        "What is in order 7?",
        (("order", {"order_id": 7}),),
        "Order ${1.id} holds ${1.lines[0].name} and ${1.lines[1].name}, and comes to ${1.total} euros.",
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
        "Your parcel is at the depot in ${4.name}, which you reach at ${4.telephone}, ${4.open.weekdays} on weekdays.",
    ),
    Shape(
        "4 parallel",
        "What do TENT-2, MUG, STOVE and LAMP cost?",
        tuple(("price", {"sku": sku}) for sku in ("TENT-2", "MUG", "STOVE", "LAMP")),
        "The tent costs ${1} euros, the mug ${2}, the stove ${3} and the lamp ${4}.",
    ),
    Shape(
        "3 then 1",
        "What do TENT-2, MUG and STOVE come to together?",
        (
            *(("price", {"sku": sku}) for sku in ("TENT-2", "MUG", "STOVE")),
            ("total", {"numbers": ["${1}", "${2}", "${3}"]}),
        ),
        "Together they come to ${4} euros.",
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
        "Added up it is ${5} days: ${3.days} and ${4.days}.",
    ),
    Shape(
        "fan-out over 20",
        "I am bea@example.com. What did each of my orders come to?",
        (("customer", {"email": "bea@example.com"}), ("order", {"order_id": "${1.orders[*]}"})),
        "Your orders came to these amounts in euros: ${2[*].total}",
    ),
    Shape(
        "a failure, mended",
        "I am ada@example.com. What did order 70 come to, and what does a LAMP cost?",
        (("order", {"order_id": 70}), ("price", {"sku": "LAMP"})),
        "There is no order 70. Your order ${2.id} came to ${2.total} euros, and a lamp costs 24 euros.",
        mended=(("customer", {"email": "ada@example.com"}), ("order", {"order_id": "${1.orders[0]}"})),
    ),
    Shape(
        "an approval",
        "Pay order 7 back.",
        (("order", {"order_id": 7}), ("refund", {"order_id": 7, "amount": "${1.total}"})),
        "${2.amount} euros of order ${2.order} are paid back.",
        approved=True,
    ),
)


def even(seconds: float) -> Latency:
    """Return the latency of tools that all take the same."""
    return lambda _tool, _args: seconds


def uneven(tool: str, args: dict[str, Any]) -> float:
    """Return the latency of tools that take between 0.1 and 0.6 seconds, each call always the same."""
    # A whole number may arrive as a float.
    return 0.1 * (1 + crc32(f"{tool} {args}".replace(".0", "").encode()) % 6)


def _numbered(plan: Calls) -> list[Call]:
    return [Call(number, "", tool, args) for number, (tool, args) in enumerate(plan, start=1)]


def _depths(plan: Calls) -> list[list[Execution]]:
    """Return the executions that a loop asks for one depth after the other."""
    executions, _ = run(plan)
    rounds: dict[int, list[Execution]] = defaultdict(list)
    depths: dict[int, int] = {}
    for call, of_call in zip(_numbered(plan), executions, strict=True):
        depths[call.number] = 1 + max((depths[number] for number in call.depends), default=0)
        rounds[depths[call.number]] += of_call
    return list(rounds.values())


@cache
def _parameters(tool: str) -> Any:
    return BoundTool(StructuredTool.from_function(FUNCTIONS[tool])).parameters


def _delayed(function: Callable[..., Any], latency: Latency) -> Callable[..., Any]:
    @wraps(function)
    async def waiting(*given: Any, **named: Any) -> Any:
        args = signature(function).bind(*given, **named).arguments
        await asyncio.sleep(latency(function.__name__, args))
        return function(**args)

    return waiting
