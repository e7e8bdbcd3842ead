"""What the backend reads: customers, orders, stock and refunds, each within a connection of `ledger`."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from http import HTTPStatus
from typing import NamedTuple

from .backend_models import (
    Address,
    Category,
    Customer,
    CustomerPage,
    Line,
    Order,
    OrderPage,
    Refund,
    Status,
    Stock,
    StockPage,
)
from .problems import Refused

# The first letters of a product's code.
CATEGORIES: dict[str, Category] = {
    "TNT": "tents",
    "STV": "stoves",
    **dict.fromkeys(("BAG", "MAT"), "sleeping"),
    "PCK": "packs",
    **dict.fromkeys(("JKT", "TRS", "FLC", "BSL", "SOC"), "clothing"),
    **dict.fromkeys(("BOT", "SHO"), "footwear"),
    **dict.fromkeys(("LMP", "POL", "CAR"), "accessories"),
}

_CUSTOMERS = "FROM customers JOIN accounts ON customer_id = id WHERE instr(email, ?)"
_ORDERS = (
    "FROM orders JOIN customers ON customers.id = customer_id"
    " WHERE (?1 IS NULL OR customer_id = ?1) AND (?2 IS NULL OR email = ?2) AND (?3 IS NULL OR status = ?3)"
)
_STOCK = "FROM products WHERE substr(sku, 1, 3) IN (SELECT value FROM json_each(?)) AND stock >= ?"


class Page(NamedTuple):
    """Which part of a list is asked for.

    Args:
        limit: the most entries.
        offset: how many entries come before it.
    """

    limit: int
    offset: int


def customer(connection: sqlite3.Connection, number: int) -> Customer:
    """Return a customer.

    Raises:
        Refused: There is none with that number.
    """
    row = connection.execute(
        "SELECT * FROM customers JOIN accounts ON customer_id = id WHERE id = ?", (number,)
    ).fetchone()
    return _customer(_found(row, f"There is no customer {number}; search for one with the e-mail address."))


def customers(connection: sqlite3.Connection, email: str, page: Page) -> CustomerPage:
    """Return the customers whose e-mail address contains a text, in upper or lower case."""
    wanted = (email.strip().lower(),)
    (total,) = connection.execute(f"SELECT count(*) {_CUSTOMERS}", wanted).fetchone()
    rows = connection.execute(f"SELECT * {_CUSTOMERS} ORDER BY id LIMIT ? OFFSET ?", (*wanted, *page)).fetchall()
    return CustomerPage(items=[_customer(row) for row in rows], total=total, **page._asdict())


def order(connection: sqlite3.Connection, number: int) -> Order:
    """Return an order.

    Raises:
        Refused: There is none with that number.
    """
    row = connection.execute("SELECT * FROM orders JOIN addresses ON order_id = id WHERE id = ?", (number,)).fetchone()
    return _order(connection, _found(row, f"There is no order {number}; list the customer's orders to find it."))


def orders(
    connection: sqlite3.Connection, customer_id: int | None, email: str | None, status: Status | None, page: Page
) -> OrderPage:
    """Return the orders of a customer or of all, newest first.

    Args:
        connection: where to read.
        customer_id: whose orders, None for everybody's.
        email: address of whose orders, None for everybody's.
        status: how far they are, None for any.
        page: which part of the list.
    """
    wanted = (customer_id, email and email.strip().lower(), status)
    (total,) = connection.execute(f"SELECT count(*) {_ORDERS}", wanted).fetchone()
    numbers = connection.execute(
        f"SELECT orders.id {_ORDERS} ORDER BY orders.id DESC LIMIT ?4 OFFSET ?5", (*wanted, *page)
    ).fetchall()
    return OrderPage(items=[order(connection, number) for (number,) in numbers], total=total, **page._asdict())


def stock(connection: sqlite3.Connection, sku: str) -> Stock:
    """Return a product's stock.

    Raises:
        Refused: There is no such product.
    """
    row = connection.execute("SELECT * FROM products WHERE sku = ?", (sku,)).fetchone()
    return _stock(_found(row, f"There is no product {sku}; list the stock to find its code."))


def stocks(connection: sqlite3.Connection, category: Category | None, at_least: int, page: Page) -> StockPage:
    """Return the products of a category, or all, of which there are at least so many pieces."""
    kinds = [kind for kind, name in CATEGORIES.items() if category in {None, name}]
    wanted = (json.dumps(kinds), at_least)
    (total,) = connection.execute(f"SELECT count(*) {_STOCK}", wanted).fetchone()
    rows = connection.execute(f"SELECT * {_STOCK} ORDER BY sku LIMIT ? OFFSET ?", (*wanted, *page)).fetchall()
    return StockPage(items=[_stock(row) for row in rows], total=total, **page._asdict())


def refund(connection: sqlite3.Connection, number: int) -> Refund:
    """Return a refund.

    Raises:
        Refused: There is none with that number.
    """
    row = connection.execute(
        "SELECT refunds.*, customer_id, balance_cents FROM refunds JOIN orders ON orders.id = order_id "
        "JOIN accounts USING (customer_id) WHERE refunds.id = ?",
        (number,),
    ).fetchone()
    row = _found(row, f"There is no refund {number}; createRefund gives the number of a new one.")
    return Refund(
        id=row["id"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        amount=_euros(row["amount_cents"]),
        account_balance=_euros(row["balance_cents"]),
        reason=row["reason"],
        status=row["status"],
        created=row["created"],
    )


def _found(row: sqlite3.Row | None, otherwise: str) -> sqlite3.Row:
    if row is None:
        raise Refused(HTTPStatus.NOT_FOUND, otherwise)
    return row


def _euros(cents: int) -> Decimal:
    return Decimal(cents) / 100


def _customer(row: sqlite3.Row) -> Customer:
    return Customer(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        country=row["country"],
        balance=_euros(row["balance_cents"]),
    )


def _stock(row: sqlite3.Row) -> Stock:
    return Stock(
        sku=row["sku"],
        name=row["name"],
        category=CATEGORIES[row["sku"][:3]],
        price=_euros(row["price_cents"]),
        stock=row["stock"],
    )


def _order(connection: sqlite3.Connection, row: sqlite3.Row) -> Order:
    lines = connection.execute(
        "SELECT sku, name, quantity, unit_price_cents, quantity * unit_price_cents AS total_cents"
        " FROM order_lines JOIN products USING (sku) WHERE order_id = ? ORDER BY position",
        (row["id"],),
    ).fetchall()
    (refunded,) = connection.execute(
        "SELECT coalesce(sum(amount_cents), 0) FROM refunds WHERE order_id = ? AND status = 'credited'", (row["id"],)
    ).fetchone()
    total = row["shipping_cents"] + sum(line["total_cents"] for line in lines)
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        status=row["status"],
        placed=row["placed"],
        delivered=row["delivered"],
        address=Address(street=row["street"], postal_code=row["postal_code"], city=row["city"]),
        lines=[_line(line) for line in lines],
        shipping=_euros(row["shipping_cents"]),
        total=_euros(total),
        refundable=_euros(total - refunded),
    )


def _line(row: sqlite3.Row) -> Line:
    return Line(
        sku=row["sku"],
        name=row["name"],
        quantity=row["quantity"],
        unit_price=_euros(row["unit_price_cents"]),
        line_total=_euros(row["total_cents"]),
    )
