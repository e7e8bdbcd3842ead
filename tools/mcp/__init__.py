"""Tools of MCP servers: programs that are started, and servers that are reached by HTTP."""

from __future__ import annotations

from tools.mcp.connections import Connection
from tools.mcp.conversion import Skipped
from tools.mcp.errors import McpFailed
from tools.mcp.servers import Server, Servers, load_server

__all__ = ["Connection", "McpFailed", "Server", "Servers", "Skipped", "load_server"]
