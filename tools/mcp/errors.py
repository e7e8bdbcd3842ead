"""What goes wrong with an MCP server as a whole."""

from __future__ import annotations

from agent.errors import SelfhelpError


class McpFailed(SelfhelpError):
    """An MCP server that cannot be started, reached or understood. The message says why."""
