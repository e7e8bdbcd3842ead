"""The operations of the backend's HTTP API."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath

from . import changes, ledger, lookups
from .backend_models import (
    Category,
    Customer,
    CustomerPage,
    NewAddress,
    NewRefund,
    NewReservation,
    Order,
    OrderPage,
    Refund,
    Reservation,
    Status,
    Stock,
    StockPage,
)
from .idempotency import AsWrite
from .problems import documented

_INVALID, _MISSING, _CONFLICT = HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
_LARGEST = 999_999_999

OrderNumber = Annotated[int, InPath(ge=1, le=_LARGEST, description="Order number", examples=[1042])]
RefundNumber = Annotated[int, InPath(ge=1, le=_LARGEST, description="Refund number", examples=[5])]
CustomerNumber = Annotated[int, InPath(ge=1, le=_LARGEST, description="Customer number", examples=[4])]


def _database(request: Request) -> Path:
    database = request.app.state.database
    assert isinstance(database, Path)
    return database


def _page(
    limit: Annotated[int, Query(ge=1, le=100, description="The most entries to give")] = 20,
    offset: Annotated[int, Query(ge=0, le=_LARGEST, description="How many entries to leave out at the start")] = 0,
) -> lookups.Page:
    return lookups.Page(limit, offset)


Database = Annotated[Path, Depends(_database)]
Page = Annotated[lookups.Page, Depends(_page)]

reads = APIRouter(responses=documented(_INVALID))
writes = APIRouter(responses=documented(_MISSING, _CONFLICT, _INVALID, HTTPStatus.SERVICE_UNAVAILABLE))


@reads.get("/customers", operation_id="findCustomers", summary="Find customers by e-mail address", tags=["customers"])
def find_customers(
    database: Database,
    page: Page,
    email: Annotated[
        str, Query(min_length=1, max_length=254, description="The address or a part of it", examples=["niamh.byrne@"])
    ],
) -> CustomerPage:
    """List the customers whose e-mail address contains a text, with their account balances. Case does not matter."""
    with ledger.reading(database) as connection:
        return lookups.customers(connection, email, page)


@reads.get(
    "/customers/{customer_id}",
    operation_id="getCustomer",
    summary="Get a customer",
    tags=["customers"],
    responses=documented(_MISSING),
)
def get_customer(database: Database, customer_id: CustomerNumber) -> Customer:
    """Get one customer by number: name, e-mail address, country, and the balance of the account in EUR."""
    with ledger.reading(database) as connection:
        return lookups.customer(connection, customer_id)


@reads.get("/orders", operation_id="listOrders", summary="List orders", tags=["orders"])
def list_orders(
    database: Database,
    page: Page,
    customer_id: Annotated[
        int | None, Query(ge=1, le=_LARGEST, description="Only orders of the customer with this number", examples=[4])
    ] = None,
    email: Annotated[
        str | None,
        Query(
            max_length=254,
            description="Only orders of the customer with this full e-mail address",
            examples=["niamh.byrne@mail.example"],
        ),
    ] = None,
    status: Annotated[Status | None, Query(description="Only orders that are this far")] = None,
) -> OrderPage:
    """List orders, newest first: a customer's by number or e-mail address, or everybody's."""
    with ledger.reading(database) as connection:
        return lookups.orders(connection, customer_id, email, status, page)


@reads.get(
    "/orders/{order_id}",
    operation_id="getOrder",
    summary="Get an order",
    tags=["orders"],
    responses=documented(_MISSING),
)
def get_order(database: Database, order_id: OrderNumber) -> Order:
    """Get one order: customer, status, dates, address, lines, total, and what of it can still be refunded."""
    with ledger.reading(database) as connection:
        return lookups.order(connection, order_id)


@writes.patch(
    "/orders/{order_id}",
    operation_id="changeDeliveryAddress",
    summary="Change an order's delivery address",
    tags=["orders"],
    response_model=Order,
)
def change_delivery_address(write: AsWrite, order_id: OrderNumber, address: NewAddress) -> Response:
    """Change the street, postal code or city to which an order goes, while its status is "received".

    The country cannot be changed.
    """
    return write.once(lambda connection: changes.change_address(connection, order_id, address), address)


@writes.post(
    "/orders/{order_id}/cancel",
    operation_id="cancelOrder",
    summary="Cancel an order",
    tags=["orders"],
    response_model=Order,
)
def cancel_order(write: AsWrite, order_id: OrderNumber) -> Response:
    """Cancel an order while its status is "received", and put its pieces back in stock. This cannot be undone.

    It pays nothing back: create a refund for that.
    """
    return write.once(lambda connection: changes.cancel_order(connection, order_id))


@reads.get("/stock", operation_id="listStock", summary="List the stock", tags=["stock"])
def list_stock(
    database: Database,
    page: Page,
    category: Annotated[Category | None, Query(description="Only products of this kind")] = None,
    at_least: Annotated[
        int, Query(ge=0, le=_LARGEST, description="Only products of which so many pieces are in stock")
    ] = 0,
) -> StockPage:
    """List products with their prices and the pieces in stock, by product code."""
    with ledger.reading(database) as connection:
        return lookups.stocks(connection, category, at_least, page)


@reads.get(
    "/stock/{sku}",
    operation_id="getStock",
    summary="Get a product's stock",
    tags=["stock"],
    responses=documented(_MISSING),
)
def get_stock(
    database: Database, sku: Annotated[str, InPath(max_length=20, description="Product code", examples=["TNT-201"])]
) -> Stock:
    """Get the pieces in stock, the price and the category of one product. Case does not matter in its code."""
    with ledger.reading(database) as connection:
        return lookups.stock(connection, sku.strip().upper())


@writes.post(
    "/reservations",
    operation_id="reserveStock",
    summary="Reserve stock",
    tags=["stock"],
    status_code=HTTPStatus.CREATED,
    response_model=Reservation,
)
def reserve_stock(write: AsWrite, reservation: NewReservation) -> Response:
    """Set pieces of a product aside for a customer. They are taken out of stock."""
    return write.once(lambda connection: changes.reserve_stock(connection, reservation), reservation)


@writes.post(
    "/refunds",
    operation_id="createRefund",
    summary="Refund an order",
    tags=["refunds"],
    status_code=HTTPStatus.CREATED,
    response_model=Refund,
)
def create_refund(write: AsWrite, refund: NewRefund) -> Response:
    """Refund an order, or a part of it, to the customer's account. It cannot exceed what is left to refund.

    cancelRefund undoes it.
    """
    return write.once(lambda connection: changes.create_refund(connection, refund), refund)


@reads.get(
    "/refunds/{refund_id}",
    operation_id="getRefund",
    summary="Get a refund",
    tags=["refunds"],
    responses=documented(_MISSING),
)
def get_refund(database: Database, refund_id: RefundNumber) -> Refund:
    """Get one refund: its order, amount, reason, and whether it was cancelled."""
    with ledger.reading(database) as connection:
        return lookups.refund(connection, refund_id)


@writes.post(
    "/refunds/{refund_id}/cancel",
    operation_id="cancelRefund",
    summary="Cancel a refund",
    tags=["refunds"],
    response_model=Refund,
)
def cancel_refund(write: AsWrite, refund_id: RefundNumber) -> Response:
    """Take a refund back from the customer's account, so that its amount can be refunded again. Undoes createRefund."""
    return write.once(lambda connection: changes.cancel_refund(connection, refund_id))
