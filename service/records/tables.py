"""The tables of the service. Times are seconds since 1970; every row of a person's has an owner."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("owner", String(200), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("per_minute", Integer),
    Column("concurrent", Integer),
    Column("daily_cost", Float),
    Column("daily_tokens", Integer),
    Column("created", Float, nullable=False),
    Column("used", Float),
    Column("expires", Float),
    Column("revoked", Float),
)

threads = Table(
    "threads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("persona", String(100)),
    Column("origin", String(20), nullable=False),
    Column("details", JSON, nullable=False),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
    Index("threads_of_owner", "owner", "updated"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("owner", String(200), nullable=False),
    Column("status", String(20), nullable=False, index=True),
    Column("input", JSON, nullable=False),
    Column("context", JSON, nullable=False),
    Column("key_id", String(16)),
    # What a person decided, until it has come to the graph.
    Column("decisions", JSON(none_as_null=True)),
    Column("worker", String(64)),
    Column("lease", Float),
    Column("takeovers", Integer, nullable=False, default=0),
    Column("cancelled", Boolean, nullable=False),
    Column("error", Text),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Index("runs_of_owner", "owner", "status"),
    # Two runs of one thread never interleave, whichever processes they are in.
    Index(
        "one_running_per_thread",
        "thread_id",
        unique=True,
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
)

events = Table(
    "events",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("event", String(20), nullable=False),
    Column("data", JSON, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("message_id", String(200), primary_key=True),
    Column("owner", String(200), nullable=False, index=True),
    Column("thumb", String(4)),
    Column("comment", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("at", Float, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(200), nullable=False, index=True),
    Column("collection", String(100), nullable=False),
    Column("name", String(255), nullable=False),
    Column("kind", String(50), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    # Passages, while it is indexed.
    Column("embedded", Integer),
    Column("to_embed", Integer),
    # Times that it was begun and neither ended nor put back.
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),
)

# Answers of /v1/responses, each the end of a turn of its thread.
responses = Table(
    "responses",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("thread_id", ForeignKey("threads.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("owner", String(200), nullable=False),
    Column("last_message", String(200)),
    # The turn that went on from here in the same thread; others go on in a copy.
    Column("continued", String(64)),
    Column("body", JSON, nullable=False),
    Column("created", Float, nullable=False),
)
