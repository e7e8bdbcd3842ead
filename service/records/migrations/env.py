"""Runs the migrations on the connection that is handed in."""

from __future__ import annotations

from alembic import context

from service.records.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
