"""The ledger's table."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table

LEDGER_FILE = "ledger.sqlite"
CHARGED = ("open_until", "cost", "most_cost", "input", "output", "most_tokens")

# A call that is under way has `open_until`, and of its figures only the most that it may use.
calls = Table(
    "model_calls",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("turn", String(200)),
    Column("thread", String(200)),
    Column("owner", String(200), nullable=False),
    Column("key", String(200)),
    Column("persona", String(100)),
    Column("node", String(40), nullable=False),
    Column("round", Integer, nullable=False),
    Column("model", String(200), nullable=False),
    Column("at", Float, nullable=False),
    Column("day", String(10), nullable=False),
    Column("input", Integer, nullable=False),
    Column("cached", Integer, nullable=False),
    Column("cache_write", Integer, nullable=False),
    Column("output", Integer, nullable=False),
    Column("reasoning", Integer, nullable=False),
    Column("cost", Float),
    Column("most_cost", Float),
    Column("most_tokens", Integer),
    Column("open_until", Float),
    # With all that budgets sum, so that those of a day are read from the index alone while others wait to reserve.
    Index("model_calls_charged", "day", "owner", *CHARGED),
    Index("model_calls_of_key", "day", "key"),
    Index("model_calls_of_thread", "thread"),
    Index("model_calls_of_turn", "turn"),
)
