"""The shop's tools: reading orders and products from the database that `orders.create` writes."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from langchain_core.tools import BaseTool, ToolException, tool
from pydantic import BaseModel, Field

Status = Literal["received", "packed", "shipped", "delivered", "closed", "cancelled", "returned"]
Euros = Annotated[float, Field(description="Amount in EUR")]
Connect = Callable[[], AbstractContextManager[sqlite3.Connection]]


class Customer(BaseModel):
    """The person an order belongs to."""

    name: str
    email: str
    country: str


class Line(BaseModel):
    """One product in an order."""

    sku: str
    name: str
    quantity: int
    unit_price: Euros
    line_total: Euros


class Order(BaseModel):
    """An order with its customer, its lines and what was paid."""

    id: int
    status: Status
    placed: date
    delivered: date | None = Field(description="Day of delivery; null until then")
    customer: Customer
    lines: list[Line]
    shipping: Euros
    total: Euros = Field(description="Lines and shipping together, in EUR")


class Product(BaseModel):
    """A product as it is sold now."""

    sku: str
    name: str
    price: Euros
    stock: int = Field(description="Pieces that can be ordered now")


def shop_tools(database: Path) -> list[BaseTool]:
    """The four tools over the orders database at `database`, which they only read.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not database.is_file():
        raise FileNotFoundError(f"no orders database at {database}: write one with examples.shop.orders.create(path)")
    location = f"{database.resolve().as_uri()}?mode=ro"

    def connect() -> AbstractContextManager[sqlite3.Connection]:
        connection = sqlite3.connect(location, uri=True)
        connection.row_factory = sqlite3.Row
        return closing(connection)

    tools = _order_tools(connect) + _product_tools(connect)
    for each in tools:
        each.metadata = {"effect": "read"}
    return tools


def _order_tools(connect: Connect) -> list[BaseTool]:
    @tool
    def get_order(order_id: Annotated[int, Field(description="Order number, four digits, for example 1007")]) -> Order:
        """Get one order: status, dates, customer, lines (sku, quantity, unit_price, line_total), shipping, total."""
        with connect() as connection:
            if found := _orders(connection, order_id=order_id):
                return found[0]
            first, last = connection.execute("SELECT min(id), max(id) FROM orders").fetchone()
        raise ToolException(f"no order {order_id}; order numbers run from {first} to {last}: ask for the right number")

    @tool
    def find_orders(
        email: Annotated[str, Field(description="The customer's full e-mail address")],
    ) -> list[Order]:
        """Find all orders of one customer by e-mail address, newest first; each has what get_order gives."""
        address = email.strip().lower()
        with connect() as connection:
            if found := _orders(connection, email=address):
                return found
        raise ToolException(f"no orders for {address!r}; ask for the e-mail address the order was placed with")

    return [get_order, find_orders]


def _product_tools(connect: Connect) -> list[BaseTool]:
    @tool
    def get_product(sku: Annotated[str, Field(description="Product code, for example FLC-101")]) -> Product:
        """Get one product by its code: sku, name, price, stock."""
        code = sku.strip().upper()
        with connect() as connection:
            row = connection.execute("SELECT * FROM products WHERE sku = ?", (code,)).fetchone()
        if row is None:
            raise ToolException(f"no product {code!r}; codes look like FLC-101: look it up by name with find_products")
        return _product(row)

    @tool
    def find_products(
        text: Annotated[str, Field(description="One or two words of the product name, for example 'rain jacket'")],
    ) -> list[Product]:
        """Find products by words of their name; each has sku, name, price, stock."""
        words = [word.removesuffix("s") for word in text.lower().split()]
        with connect() as connection:
            rows = connection.execute("SELECT * FROM products ORDER BY sku").fetchall()
        found = [_product(row) for row in rows if words and all(word in row["name"].lower() for word in words)]
        if not found:
            raise ToolException(f"no product has {text!r} in its name; try one plain word, such as 'tent' or 'jacket'")
        return found

    return [get_product, find_products]


def _orders(connection: sqlite3.Connection, *, order_id: int | None = None, email: str | None = None) -> list[Order]:
    """The order with that number, or the orders of the customer with that address, newest first."""
    rows = connection.execute(
        "SELECT orders.*, name, email, country FROM orders JOIN customers ON customers.id = customer_id"
        " WHERE orders.id = ? OR email = ? ORDER BY orders.id DESC",
        (order_id, email),
    ).fetchall()
    return [_order(row, _lines(connection, row["id"])) for row in rows]


def _lines(connection: sqlite3.Connection, order_id: int) -> list[sqlite3.Row]:
    return connection.execute(
        "SELECT sku, name, quantity, unit_price_cents, quantity * unit_price_cents AS total_cents"
        " FROM order_lines JOIN products USING (sku) WHERE order_id = ? ORDER BY position",
        (order_id,),
    ).fetchall()


def _order(row: sqlite3.Row, lines: list[sqlite3.Row]) -> Order:
    return Order(
        id=row["id"],
        status=row["status"],
        placed=row["placed"],
        delivered=row["delivered"],
        customer=Customer(name=row["name"], email=row["email"], country=row["country"]),
        lines=[
            Line(
                sku=line["sku"],
                name=line["name"],
                quantity=line["quantity"],
                unit_price=line["unit_price_cents"] / 100,
                line_total=line["total_cents"] / 100,
            )
            for line in lines
        ],
        shipping=row["shipping_cents"] / 100,
        total=(row["shipping_cents"] + sum(line["total_cents"] for line in lines)) / 100,
    )


def _product(row: sqlite3.Row) -> Product:
    return Product(sku=row["sku"], name=row["name"], price=row["price_cents"] / 100, stock=row["stock"])
