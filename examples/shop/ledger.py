"""What the backend keeps beside the orders: its tables, their first rows, and how they are read and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from . import orders

_VERSION = 1
_PATIENCE = 5.0  # seconds that a write waits for another one

_SCHEMA = (
    """
    CREATE TABLE accounts (
        customer_id INTEGER PRIMARY KEY REFERENCES customers (id),
        balance_cents INTEGER NOT NULL CHECK (balance_cents >= 0)
    ) STRICT
    """,
    """
    CREATE TABLE addresses (
        order_id INTEGER PRIMARY KEY REFERENCES orders (id),
        street TEXT NOT NULL,
        postal_code TEXT NOT NULL,
        city TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE refunds (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        order_id INTEGER NOT NULL REFERENCES orders (id),
        amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
        reason TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('credited', 'cancelled')),
        created TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX refunds_of_order ON refunds (order_id)",
    """
    CREATE TABLE reservations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        sku TEXT NOT NULL REFERENCES products (sku),
        customer_id INTEGER NOT NULL REFERENCES customers (id),
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        created TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE effects (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT UNIQUE,
        operation TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        status INTEGER NOT NULL,
        response TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT
    """,
)

# Placed after those that the questions are about.
_LATER_ORDERS: tuple[orders.OrderRow, ...] = (
    (1041, 9, "received", "2025-09-22", None, {"BSL-101": 1}),
    (1042, 4, "delivered", "2025-09-22", "2025-09-26", {"LMP-101": 1, "SOC-101": 2}),
)

# Customer: what is on the account in cents, street, postal code, city.
_HOMES = {
    1: (1200, "Oudegracht 114", "3511 AW", "Utrecht"),
    2: (0, "Korenmarkt 8", "9000", "Gent"),
    3: (450, "Lindenallee 21", "50968", "Köln"),
    4: (2500, "14 Quay Street", "H91 XK02", "Galway"),
    5: (0, "3 Rue de la Gare", "1611", "Luxembourg"),
    6: (3675, "Via Roma 52", "10123", "Torino"),
    7: (0, "Bruul 90", "2800", "Mechelen"),
    8: (0, "Storgatan 7", "903 26", "Umeå"),
    9: (5000, "Witte de Withstraat 33", "3012 BM", "Rotterdam"),
    10: (19900, "Bergstraße 4", "79098", "Freiburg"),
    11: (0, "Strandgaten 18", "5013", "Bergen"),
    12: (0, "27 Rue Carnot", "74000", "Annecy"),
    13: (820, "Calle Mayor 61", "22700", "Jaca"),
    14: (0, "Marktgasse 12", "3011", "Bern"),
    15: (0, "Maria-Theresien-Straße 9", "6020", "Innsbruck"),
    16: (1050, "Vestergade 40", "8000", "Aarhus"),
    17: (0, "Stationsweg 2", "6811 LA", "Arnhem"),
    18: (0, "Kastanienallee 77", "10435", "Berlin"),
    19: (0, "5 Rue des Alpes", "38000", "Grenoble"),
    20: (300, "8 Main Street", "V93 E2R7", "Killarney"),
}


class Effect(NamedTuple):
    """A write that took effect.

    Args:
        id: its number; they count up.
        key: its idempotency key, None where it came without one.
        operation: the operationId, for example createRefund.
        at: when, as an ISO 8601 time in UTC.
    """

    id: int
    key: str | None
    operation: str
    at: str


def prepare(database: Path) -> None:
    """Add the backend's tables and rows to an orders database, which is made where there is none.

    A database that has them is left as it is.
    """
    if not database.is_file():
        orders.create(database)
    with closing(_connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with writing(database) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
            _fill(connection)


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reads that all see the same state."""
    with closing(_connect(database)) as connection:
        connection.execute("BEGIN")
        yield connection


@contextmanager
def writing(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for writes that are kept all together or, after an error, not at all.

    Raises:
        sqlite3.OperationalError: Others kept on writing for five seconds.
    """
    with closing(_connect(database)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


def effects(database: Path) -> list[Effect]:
    """Return every write that took effect, oldest first."""
    with reading(database) as connection:
        rows = connection.execute("SELECT id, key, operation, at FROM effects ORDER BY id").fetchall()
    return [Effect(*row) for row in rows]


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _connect(database: Path) -> sqlite3.Connection:
    """Open a file that is there; nothing is written but in a transaction that was begun, and closing undoes it."""
    connection = sqlite3.connect(
        f"{database.resolve().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE, isolation_level=None
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _fill(connection: sqlite3.Connection) -> None:
    """Make the tables, a full account and address for each customer, and refunds of what was cancelled or returned."""
    for statement in _SCHEMA:
        connection.execute(statement)
    orders.add(connection, _LATER_ORDERS)
    accounts = [(customer, balance) for customer, (balance, *_) in _HOMES.items()]
    connection.executemany("INSERT INTO accounts VALUES (?, ?)", accounts)
    for order, customer in connection.execute("SELECT id, customer_id FROM orders").fetchall():
        connection.execute("INSERT INTO addresses VALUES (?, ?, ?, ?)", (order, *_HOMES[customer][1:]))
    connection.execute(
        "INSERT INTO refunds (order_id, amount_cents, reason, status, created)"
        " SELECT id, shipping_cents + sum(quantity * unit_price_cents), 'Order ' || status, 'credited',"
        " coalesce(delivered, placed) || 'T12:00:00+00:00'"
        " FROM orders JOIN order_lines ON order_id = id WHERE status IN ('cancelled', 'returned')"
        " GROUP BY id ORDER BY id"
    )
    connection.execute(f"PRAGMA user_version = {_VERSION}")
