"""What the configured MCP servers became."""

from __future__ import annotations

import shlex

from rich.console import Console

from agent.errors import SettingsError
from agent.mcp_servers import McpSettings
from agent.settings import Settings
from agent.toolset import BoundTool
from service.tool_sources import show, show_failure, write
from tools.mcp import Connection, McpFailed, Server, load_server


async def check(settings: Settings, console: Console, *, as_json: bool) -> bool:
    """Connect to each MCP server and show its tools. Returns whether all are there.

    Raises:
        SettingsError: no MCP server is set.
    """
    if not settings.mcp:
        raise SettingsError("no MCP server is set: add [[mcp]] with name and command or url to selfhelp.toml")
    there = True
    for wanted in settings.mcp:
        try:
            server = await load_server(Connection(wanted))
        except McpFailed as error:
            there = False
            show_failure(wanted.name, error, console, as_json=as_json)
            continue
        if as_json:
            write(_facts(server), console)
        else:
            skipped = (f"{each.tool}: {each.reason}" for each in server.skipped)
            show(server.name, _place(wanted), server.tools, skipped, console)
    return there


def _facts(server: Server) -> dict[str, object]:
    tools = [
        {"name": tool.name, "effect": tool.effect, "operation": tool.operation, "description": tool.tool.description}
        for tool in map(BoundTool, server.tools)
    ]
    return {
        "name": server.name,
        "tools": tools,
        "skipped": [{"tool": each.tool, "reason": each.reason} for each in server.skipped],
    }


def _place(wanted: McpSettings) -> str:
    return wanted.url or shlex.join([wanted.command or "", *wanted.args])
