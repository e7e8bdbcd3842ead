"""What is to be doubted in an answer, in words."""

from __future__ import annotations

from agent.state import Flag


def doubt(flag: Flag) -> str:
    """Write a flag in one line."""
    return f"“{flag['text']}”: {flag['detail']}" if flag["text"] else flag["detail"]
