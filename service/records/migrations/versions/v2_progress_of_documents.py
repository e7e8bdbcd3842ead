"""How far a document is while it is indexed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Apply."""
    op.add_column("documents", sa.Column("embedded", sa.Integer(), nullable=True))
    op.add_column("documents", sa.Column("to_embed", sa.Integer(), nullable=True))
