"""How often processes have ended while they indexed a document."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Apply."""
    op.add_column("documents", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
