"""What the backend changes: refunds, orders and stock, each within a transaction of `ledger.writing`."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from http import HTTPStatus

from . import lookups
from .backend_models import NewAddress, NewRefund, NewReservation, Order, Refund, Reservation
from .ledger import now
from .problems import Refused


def create_refund(connection: sqlite3.Connection, wanted: NewRefund) -> Refund:
    """Refund a part of an order, or all of it, to the customer's account.

    Raises:
        Refused: There is no such order, or less than that is left to refund.
    """
    order = lookups.order(connection, wanted.order_id)
    amount = order.refundable if wanted.amount is None else wanted.amount
    if amount > order.refundable or not amount:
        raise Refused(
            HTTPStatus.CONFLICT, f"Of order {order.id} only {order.refundable:.2f} EUR can still be refunded."
        )
    number = connection.execute(
        "INSERT INTO refunds (order_id, amount_cents, reason, status, created) VALUES (?, ?, ?, 'credited', ?)",
        (order.id, _cents(amount), wanted.reason, now()),
    ).lastrowid
    assert number is not None
    _credit(connection, order.customer_id, amount)
    return lookups.refund(connection, number)


def cancel_refund(connection: sqlite3.Connection, number: int) -> Refund:
    """Take a refund back from the customer's account.

    Raises:
        Refused: There is no such refund, it is cancelled already, or the account holds less than it.
    """
    refund = lookups.refund(connection, number)
    if refund.status == "cancelled":
        raise Refused(HTTPStatus.CONFLICT, f"Refund {number} is cancelled already.")
    balance = lookups.customer(connection, refund.customer_id).balance
    if balance < refund.amount:
        detail = f"Refund {number} is {refund.amount:.2f} EUR, and only {balance:.2f} EUR are left on the account."
        raise Refused(HTTPStatus.CONFLICT, detail)
    connection.execute("UPDATE refunds SET status = 'cancelled' WHERE id = ?", (number,))
    _credit(connection, refund.customer_id, -refund.amount)
    return lookups.refund(connection, number)


def change_address(connection: sqlite3.Connection, number: int, address: NewAddress) -> Order:
    """Change where an order is delivered.

    Raises:
        Refused: There is no such order, it is not "received" any more, or nothing is to change.
    """
    changes = address.model_dump(exclude_none=True)
    if not changes:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Nothing is to change; give a street, postal_code or city.")
    order = lookups.order(connection, number)
    _still_received(order, "its delivery address cannot be changed")
    street, postal_code, city = (order.address.model_dump() | changes).values()
    connection.execute(
        "UPDATE addresses SET street = ?, postal_code = ?, city = ? WHERE order_id = ?",
        (street, postal_code, city, number),
    )
    return lookups.order(connection, number)


def cancel_order(connection: sqlite3.Connection, number: int) -> Order:
    """Cancel an order and put its pieces back in stock.

    Raises:
        Refused: There is no such order, or it is not "received" any more.
    """
    order = lookups.order(connection, number)
    _still_received(order, "it cannot be cancelled")
    connection.execute("UPDATE orders SET status = 'cancelled' WHERE id = ?", (number,))
    connection.executemany(
        "UPDATE products SET stock = stock + ? WHERE sku = ?", [(line.quantity, line.sku) for line in order.lines]
    )
    return lookups.order(connection, number)


def reserve_stock(connection: sqlite3.Connection, wanted: NewReservation) -> Reservation:
    """Take pieces out of stock for a customer.

    Raises:
        Refused: There is no such product or customer, or there are fewer pieces in stock.
    """
    lookups.customer(connection, wanted.customer_id)
    left = lookups.stock(connection, wanted.sku).stock - wanted.quantity
    if left < 0:
        detail = f"Only {left + wanted.quantity} pieces of {wanted.sku} are in stock."
        raise Refused(HTTPStatus.CONFLICT, detail)
    created = now()
    connection.execute("UPDATE products SET stock = ? WHERE sku = ?", (left, wanted.sku))
    number = connection.execute(
        "INSERT INTO reservations (sku, customer_id, quantity, created) VALUES (?, ?, ?, ?)",
        (wanted.sku, wanted.customer_id, wanted.quantity, created),
    ).lastrowid
    return Reservation.model_validate({"id": number, "left": left, "created": created, **wanted.model_dump()})


def _still_received(order: Order, otherwise: str) -> None:
    if order.status != "received":
        raise Refused(HTTPStatus.CONFLICT, f'Order {order.id} is {order.status}, not "received": {otherwise}.')


def _credit(connection: sqlite3.Connection, customer_id: int, amount: Decimal) -> None:
    connection.execute(
        "UPDATE accounts SET balance_cents = balance_cents + ? WHERE customer_id = ?", (_cents(amount), customer_id)
    )


def _cents(amount: Decimal) -> int:
    """An amount of at most two decimals, in cents."""
    return int(amount * 100)
