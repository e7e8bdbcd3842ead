"""The shop's orders database: its schema and the fixed data it is made with."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

SCHEMA = """
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
    country TEXT NOT NULL
) STRICT;

CREATE TABLE products (
    sku TEXT PRIMARY KEY CHECK (sku = upper(sku)),
    name TEXT NOT NULL UNIQUE,
    price_cents INTEGER NOT NULL CHECK (price_cents > 0),
    stock INTEGER NOT NULL CHECK (stock >= 0)
) STRICT;

CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    status TEXT NOT NULL
        CHECK (status IN ('received', 'packed', 'shipped', 'delivered', 'closed', 'cancelled', 'returned')),
    placed TEXT NOT NULL,
    delivered TEXT CHECK (delivered > placed),
    shipping_cents INTEGER NOT NULL CHECK (shipping_cents >= 0),
    CHECK ((delivered IS NOT NULL) = (status IN ('delivered', 'closed', 'returned')))
) STRICT;

CREATE TABLE order_lines (
    order_id INTEGER NOT NULL REFERENCES orders (id),
    position INTEGER NOT NULL,
    sku TEXT NOT NULL REFERENCES products (sku),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_cents INTEGER NOT NULL CHECK (unit_price_cents > 0),
    PRIMARY KEY (order_id, position)
) STRICT;

CREATE INDEX orders_of_customer ON orders (customer_id);
"""

# Country: the standard delivery charge, and the value of goods from which it is waived, in cents.
DELIVERY: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(("Netherlands", "Belgium", "Germany", "Luxembourg"), (550, 8000)),
    **dict.fromkeys(("Austria", "Denmark", "France", "Ireland", "Italy", "Spain", "Sweden"), (890, 15000)),
    **dict.fromkeys(("Norway", "Switzerland"), (1690, None)),
}

# Id, name, email, country.
CUSTOMERS = (
    (1, "Mira Jansen", "mira.jansen@mail.example", "Netherlands"),
    (2, "Tomas Okafor", "tomas.okafor@mail.example", "Belgium"),
    (3, "Lena Vogt", "lena.vogt@mail.example", "Germany"),
    (4, "Niamh Byrne", "niamh.byrne@mail.example", "Ireland"),
    (5, "Paul Weber", "paul.weber@mail.example", "Luxembourg"),
    (6, "Chiara Conti", "chiara.conti@mail.example", "Italy"),
    (7, "Sofie Maes", "sofie.maes@mail.example", "Belgium"),
    (8, "Erik Lindqvist", "erik.lindqvist@mail.example", "Sweden"),
    (9, "Anouk de Wit", "anouk.dewit@mail.example", "Netherlands"),
    (10, "Jonas Keller", "jonas.keller@mail.example", "Germany"),
    (11, "Ingrid Haugen", "ingrid.haugen@mail.example", "Norway"),
    (12, "Luc Moreau", "luc.moreau@mail.example", "France"),
    (13, "Ana Romero", "ana.romero@mail.example", "Spain"),
    (14, "Beat Ammann", "beat.ammann@mail.example", "Switzerland"),
    (15, "Katrin Huber", "katrin.huber@mail.example", "Austria"),
    (16, "Freja Holm", "freja.holm@mail.example", "Denmark"),
    (17, "Bram Visser", "bram.visser@mail.example", "Netherlands"),
    (18, "Yusuf Demir", "yusuf.demir@mail.example", "Germany"),
    (19, "Claire Dubois", "claire.dubois@mail.example", "France"),
    (20, "Aoife Nolan", "aoife.nolan@mail.example", "Ireland"),
)

# Sku, name, price in cents, stock.
PRODUCTS = (
    ("TNT-201", "Heron 2 two-person tent", 28900, 14),
    ("TNT-301", "Heron 3 three-person tent", 36900, 6),
    ("TNT-291", "Heron 2 footprint", 3900, 22),
    ("TNT-901", "Tent pole repair kit", 1450, 40),
    ("STV-101", "Ember gas stove", 6400, 31),
    ("STV-191", "Gas cartridge 230 g", 690, 180),
    ("STV-192", "Ember O-ring set", 450, 75),
    ("BAG-101", "Dormouse Summer sleeping bag", 11900, 18),
    ("BAG-102", "Dormouse Winter down sleeping bag", 24900, 9),
    ("MAT-101", "Moss sleeping mat", 7900, 27),
    ("PCK-028", "Stoat 28 daypack", 8900, 16),
    ("PCK-055", "Stoat 55 trekking pack", 17900, 11),
    ("PCK-091", "Stoat rain cover", 2400, 35),
    ("JKT-101", "Drizzle rain jacket", 15900, 24),
    ("JKT-201", "Cinder down jacket", 19900, 0),
    ("TRS-101", "Drizzle rain trousers", 9900, 19),
    ("FLC-101", "Bracken fleece", 6900, 33),
    ("BSL-101", "Otter merino shirt", 5900, 28),
    ("SOC-101", "Otter merino socks", 1750, 96),
    ("BOT-101", "Scree hiking boots", 18900, 21),
    ("SHO-101", "Scree Low hiking shoes", 13900, 17),
    ("LMP-101", "Glow-worm headlamp", 4500, 44),
    ("POL-101", "Reed trekking poles", 8400, 13),
    ("CAR-101", "Wash-in waterproofing 300 ml", 1390, 52),
    ("CAR-102", "Down wash 250 ml", 1150, 38),
)

# Id, customer, status, placed, delivered, then a quantity for each sku.
OrderRow = tuple[int, int, str, str, str | None, dict[str, int]]
ORDERS: tuple[OrderRow, ...] = (
    (1001, 3, "closed", "2025-07-01", "2025-07-04", {"BAG-101": 1}),
    (1002, 12, "closed", "2025-07-03", "2025-07-10", {"TNT-301": 1, "TNT-901": 1}),
    (1003, 9, "closed", "2025-07-07", "2025-07-09", {"SOC-101": 3}),
    (1004, 7, "returned", "2025-07-10", "2025-07-15", {"SHO-101": 1}),
    (1005, 14, "closed", "2025-07-14", "2025-07-24", {"PCK-055": 1}),
    (1006, 1, "closed", "2025-07-17", "2025-07-21", {"STV-101": 1, "STV-191": 2}),
    (1007, 16, "closed", "2025-07-22", "2025-07-29", {"FLC-101": 2}),
    (1008, 10, "cancelled", "2025-07-25", None, {"JKT-201": 1}),
    (1009, 15, "closed", "2025-07-30", "2025-08-06", {"POL-101": 1}),
    (1010, 20, "closed", "2025-08-04", "2025-08-11", {"JKT-101": 1, "TRS-101": 1}),
    (1011, 5, "closed", "2025-08-12", "2025-08-14", {"LMP-101": 2}),
    (1012, 1, "delivered", "2025-08-20", "2025-08-25", {"TNT-201": 1}),
    (1013, 17, "delivered", "2025-08-21", "2025-08-25", {"MAT-101": 2}),
    (1014, 6, "delivered", "2025-08-21", "2025-08-28", {"BOT-101": 1, "SOC-101": 2}),
    (1015, 18, "delivered", "2025-08-22", "2025-08-27", {"STV-101": 1}),
    (1016, 19, "cancelled", "2025-08-25", None, {"PCK-028": 1}),
    (1017, 8, "delivered", "2025-08-26", "2025-09-02", {"BAG-102": 1}),
    (1018, 9, "delivered", "2025-08-27", "2025-08-29", {"BOT-101": 1}),
    (1019, 11, "delivered", "2025-08-28", "2025-09-08", {"JKT-201": 1, "BSL-101": 2}),
    (1020, 3, "delivered", "2025-08-29", "2025-09-02", {"CAR-101": 2, "CAR-102": 1}),
    (1021, 4, "delivered", "2025-09-01", "2025-09-05", {"TNT-201": 1, "TNT-291": 1}),
    (1022, 7, "delivered", "2025-09-01", "2025-09-03", {"JKT-101": 1, "SOC-101": 1}),
    (1023, 2, "delivered", "2025-09-02", "2025-09-04", {"LMP-101": 1}),
    (1024, 13, "delivered", "2025-09-03", "2025-09-10", {"SHO-101": 1}),
    (1025, 10, "delivered", "2025-09-04", "2025-09-09", {"PCK-055": 1, "PCK-091": 1}),
    (1026, 19, "delivered", "2025-09-05", "2025-09-12", {"FLC-101": 1}),
    (1027, 17, "delivered", "2025-09-08", "2025-09-10", {"TNT-301": 1}),
    (1028, 14, "delivered", "2025-09-08", "2025-09-18", {"POL-101": 1, "BSL-101": 1}),
    (1029, 5, "returned", "2025-09-09", "2025-09-11", {"TRS-101": 1}),
    (1030, 18, "delivered", "2025-09-10", "2025-09-15", {"STV-191": 4, "STV-192": 1}),
    (1031, 16, "delivered", "2025-09-11", "2025-09-17", {"MAT-101": 1, "BAG-101": 1}),
    (1032, 12, "shipped", "2025-09-15", None, {"JKT-101": 1}),
    (1033, 11, "shipped", "2025-09-16", None, {"BOT-101": 1}),
    (1034, 1, "shipped", "2025-09-17", None, {"LMP-101": 1, "SOC-101": 2}),
    (1035, 20, "shipped", "2025-09-18", None, {"BAG-102": 1}),
    (1036, 15, "packed", "2025-09-18", None, {"PCK-028": 1, "PCK-091": 1}),
    (1037, 10, "packed", "2025-09-19", None, {"TNT-901": 1}),
    (1038, 13, "received", "2025-09-19", None, {"TNT-201": 1, "MAT-101": 2}),
    (1039, 8, "received", "2025-09-22", None, {"CAR-101": 1}),
    (1040, 6, "received", "2025-09-22", None, {"JKT-201": 1}),
)


def create(path: Path) -> None:
    """Write a fresh orders database to `path`, in one step: a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder, path.name)
        with closing(sqlite3.connect(draft)) as database, database:
            database.execute("PRAGMA foreign_keys = ON")
            database.executescript(SCHEMA)
            _fill(database)
        for left in ("-wal", "-shm"):  # the backend's, if it was killed: they belong to the old file
            path.with_name(path.name + left).unlink(missing_ok=True)
        draft.replace(path)


def add(database: sqlite3.Connection, rows: Iterable[OrderRow]) -> None:
    """Insert orders, each at today's price and its country's delivery charge, into a database with customers."""
    countries = {customer: country for customer, _, _, country in CUSTOMERS}
    prices = {sku: price for sku, _, price, _ in PRODUCTS}
    for order, customer, status, placed, delivered, quantities in rows:
        goods = sum(prices[sku] * quantity for sku, quantity in quantities.items())
        charge, free_from = DELIVERY[countries[customer]]
        shipping = 0 if free_from is not None and goods >= free_from else charge
        database.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", (order, customer, status, placed, delivered, shipping)
        )
        database.executemany(
            "INSERT INTO order_lines VALUES (?, ?, ?, ?, ?)",
            [(order, n, sku, quantity, prices[sku]) for n, (sku, quantity) in enumerate(quantities.items(), start=1)],
        )


def _fill(database: sqlite3.Connection) -> None:
    """Insert the customers, products and orders."""
    database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", CUSTOMERS)
    database.executemany("INSERT INTO products VALUES (?, ?, ?, ?)", PRODUCTS)
    add(database, ORDERS)
