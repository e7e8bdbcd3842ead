"""Runs are found by their owner and where they stand."""

from __future__ import annotations

from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Apply."""
    op.drop_index("ix_runs_owner", "runs")
    op.create_index("runs_of_owner", "runs", ["owner", "status"])
