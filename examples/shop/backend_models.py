"""What the backend takes and gives."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

Status = Literal["received", "packed", "shipped", "delivered", "closed", "cancelled", "returned"]
Category = Literal["tents", "stoves", "sleeping", "packs", "clothing", "footwear", "accessories"]
# Exact within the backend. JSON has a number of at most two decimals, as the shop's tools give it.
Euros = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
Number = Annotated[int, Field(ge=1, le=999_999_999)]
Sku = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}-[0-9]{3}$")]


def _line(longest: int) -> StringConstraints:
    """A line of text that is not blank."""
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest, pattern=r"^[^\x00-\x1f\x7f]*$")


class _Given(BaseModel):
    """What a client sends: unknown fields are refused, so that no misspelt one is lost."""

    model_config = ConfigDict(extra="forbid")


class _Page(BaseModel):
    total: int = Field(description="How many there are on all pages together", examples=[3])
    limit: int = Field(description="The most that a page holds", examples=[20])
    offset: int = Field(description="How many come before this page", examples=[0])


class Customer(BaseModel):
    """A customer and their account."""

    id: int = Field(description="Customer number", examples=[4])
    name: str = Field(description="Full name", examples=["Niamh Byrne"])
    email: str = Field(description="E-mail address in lower case", examples=["niamh.byrne@mail.example"])
    country: str = Field(description="Country that the customer lives in", examples=["Ireland"])
    balance: Euros = Field(description="What is on the customer's account, in EUR", examples=[25.0])


class CustomerPage(_Page):
    """A page of customers by number, lowest first."""

    items: list[Customer] = Field(description="The customers on this page")


class Address(BaseModel):
    """Where an order is delivered, within the customer's country."""

    street: str = Field(description="Street and house number", examples=["14 Quay Street"])
    postal_code: str = Field(description="Postal code", examples=["H91 XK02"])
    city: str = Field(description="Town or city", examples=["Galway"])


class NewAddress(_Given):
    """The parts of a delivery address that change; the rest stays as it is."""

    street: Annotated[str, _line(100)] | None = Field(
        None, description="New street and house number", examples=["2 Eyre Square"]
    )
    postal_code: Annotated[str, _line(12)] | None = Field(None, description="New postal code", examples=["H91 FD96"])
    city: Annotated[str, _line(60)] | None = Field(None, description="New town or city", examples=["Galway"])


class Line(BaseModel):
    """One product in an order."""

    sku: str = Field(description="Product code", examples=["LMP-101"])
    name: str = Field(description="Name of the product", examples=["Glow-worm headlamp"])
    quantity: int = Field(description="How many pieces", examples=[1])
    unit_price: Euros = Field(description="Price of one piece in EUR", examples=[45.0])
    line_total: Euros = Field(description="Price of all pieces of the line in EUR", examples=[45.0])


class Order(BaseModel):
    """An order with its lines, what was paid and what of it can still be refunded."""

    id: int = Field(description="Order number", examples=[1042])
    customer_id: int = Field(description="Number of the customer who placed it", examples=[4])
    status: Status = Field(description="How far the order is", examples=["delivered"])
    placed: date = Field(description="Day on which it was placed", examples=["2025-09-22"])
    delivered: date | None = Field(description="Day of delivery; null until then", examples=["2025-09-26"])
    address: Address = Field(description="Where it is delivered")
    lines: list[Line] = Field(description="The products in it")
    shipping: Euros = Field(description="Delivery charge in EUR", examples=[8.9])
    total: Euros = Field(description="Lines and shipping together, in EUR", examples=[88.9])
    refundable: Euros = Field(description="The most that can still be refunded, in EUR", examples=[88.9])


class OrderPage(_Page):
    """A page of orders, newest first."""

    items: list[Order] = Field(description="The orders on this page")


class Stock(BaseModel):
    """A product and how many pieces of it can be ordered."""

    sku: str = Field(description="Product code", examples=["TNT-201"])
    name: str = Field(description="Name of the product", examples=["Heron 2 two-person tent"])
    category: Category = Field(description="What kind of product it is", examples=["tents"])
    price: Euros = Field(description="Price of one piece in EUR", examples=[289.0])
    stock: int = Field(description="Pieces that can be ordered now", examples=[14])


class StockPage(_Page):
    """A page of products by code, in alphabetical order."""

    items: list[Stock] = Field(description="The products on this page")


class NewRefund(_Given):
    """A refund to be made."""

    order_id: Number = Field(description="Number of the order to refund", examples=[1042])
    amount: Annotated[Euros, Field(gt=0, le=100_000, decimal_places=2)] | None = Field(
        None,
        description="How much to refund, in EUR with at most two decimals; all that is left when empty",
        examples=[88.9],
    )
    reason: Annotated[str, _line(300)] = Field(
        "Asked for", description="Why, in a few words", examples=["Arrived damaged"]
    )


class Refund(BaseModel):
    """A refund of an order, or of a part of it, to the customer's account."""

    id: int = Field(description="Refund number", examples=[5])
    order_id: int = Field(description="Number of the refunded order", examples=[1042])
    customer_id: int = Field(description="Number of the customer whose account it is credited to", examples=[4])
    amount: Euros = Field(description="How much, in EUR", examples=[88.9])
    account_balance: Euros = Field(description="What is on the customer's account now, in EUR", examples=[113.9])
    reason: str = Field(description="Why", examples=["Arrived damaged"])
    status: Literal["credited", "cancelled"] = Field(
        description="Whether the amount is on the account or was taken back", examples=["credited"]
    )
    created: datetime = Field(description="When it was made", examples=["2025-10-01T09:30:00Z"])


class NewReservation(_Given):
    """Pieces to be set aside."""

    sku: Sku = Field(description="Product code", examples=["TNT-201"])
    quantity: Annotated[int, Field(ge=1, le=1000)] = Field(description="How many pieces", examples=[2])
    customer_id: Number = Field(description="Number of the customer they are for", examples=[4])


class Reservation(BaseModel):
    """Pieces that were set aside for a customer and are no longer in stock."""

    id: int = Field(description="Reservation number", examples=[1])
    sku: str = Field(description="Product code", examples=["TNT-201"])
    quantity: int = Field(description="How many pieces", examples=[2])
    customer_id: int = Field(description="Number of the customer they are for", examples=[4])
    left: int = Field(description="Pieces still in stock after it", examples=[12])
    created: datetime = Field(description="When it was made", examples=["2025-10-01T09:30:00Z"])
