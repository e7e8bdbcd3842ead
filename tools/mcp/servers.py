"""The servers of the settings: their tools when they are there, and another try when they are not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from langchain_core.tools import BaseTool

from agent.mcp_servers import McpSettings
from tools.mcp.connections import Connection
from tools.mcp.conversion import Skipped, converted
from tools.mcp.errors import McpFailed

PAUSE = 5.0  # seconds from one try to the next
PATIENCE = 3.0  # seconds that a run waits for a server that was not there before

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A server's tools.

    Args:
        name: its name in the settings.
        tools: its tools.
        skipped: those that are not bound.
    """

    name: str
    tools: list[BaseTool] = field(repr=False)
    skipped: list[Skipped] = field(repr=False)


async def load_server(connection: Connection) -> Server:
    """Connect to a server and make tools of its own.

    Raises:
        McpFailed: it cannot be started, reached or understood, or the settings do not fit it.
    """
    described = await connection.tools()
    tools, skipped = await asyncio.to_thread(converted, described, connection)
    return Server(connection.settings.name, tools, skipped)


class Servers:
    """The servers of the settings, of which some may come up later.

    Args:
        wanted: what the settings say of them.
    """

    def __init__(self, wanted: Sequence[McpSettings]) -> None:
        self._missing = {each.name: Connection(each) for each in wanted}
        self._reasons: dict[str, str] = {}
        self._next_try = 0.0

    async def come_up(self) -> list[Server]:
        """Return the servers that are there now and were not when this was last asked.

        One that is not there is logged and tried again at a later call, which waits for it a moment only.
        """
        if not self._missing or time.monotonic() < self._next_try:
            return []
        tries = await asyncio.gather(*map(self._tried, self._missing.values()))
        self._next_try = time.monotonic() + PAUSE
        # Another run may have found it at the same time.
        return [server for server in tries if server and self._missing.pop(server.name, None)]

    async def _tried(self, connection: Connection) -> Server | None:
        name = connection.settings.name
        try:
            async with asyncio.timeout(PATIENCE if name in self._reasons else None):
                return await load_server(connection)
        except (McpFailed, TimeoutError) as error:
            reason = str(error) or "it is not ready yet"
        if self._reasons.get(name) != reason:
            self._reasons[name] = reason
            log.error("the MCP server %s is left out for now: %s", name, reason)
        return None
