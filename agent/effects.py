"""What a write takes along so that it takes effect once."""

from __future__ import annotations

from contextvars import ContextVar

idempotency_key: ContextVar[str | None] = ContextVar("idempotency_key", default=None)
