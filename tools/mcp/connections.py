"""Calling the tools of a server: over one connection, whichever loop calls, opened anew when it is lost."""

from __future__ import annotations

import weakref
from typing import Any

from langchain_core.tools import ToolException
from mcp import MCPError, types
from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT
from pydantic import ValidationError

from agent.background import beside
from agent.mcp_servers import McpSettings
from tools.mcp.errors import McpFailed
from tools.mcp.links import Link
from tools.mcp.processes import passed_on
from tools.mcp.remote import NOT_SENT, SESSION_OVER
from tools.mcp.results import value
from tools.openapi.credentials import Secrets, read_secrets, recognisable
from tools.openapi.errors import Unreachable
from tools.openapi.texts import brief

_LONGEST_REASON = 400


class Connection:
    """A server that is connected to when it is wanted.

    Args:
        settings: the server.
    """

    def __init__(self, settings: McpSettings) -> None:
        self.settings = settings
        # The one that is open, in a list that whoever closes it can hold without holding this.
        self._links: list[Link] = []
        weakref.finalize(self, _leave, self._links).atexit = False

    async def tools(self) -> list[dict[str, Any]]:
        """Return the tools that the server has, as it describes them.

        Raises:
            McpFailed: it cannot be started, reached or understood.
        """
        return await beside(self._tools())

    async def call(self, tool: str, args: dict[str, Any]) -> Any:
        """Call a tool and return its result.

        Args:
            tool: the server's name of it.
            args: its arguments.

        Raises:
            ToolException: the tool failed, or its result is too large.
            Unreachable: there is no answer.
        """
        try:
            return await beside(self._call(tool, args))
        except McpFailed as error:
            raise Unreachable(f"the MCP server {self.settings.name}: {error}", may_have_arrived=False) from None

    async def _tools(self) -> list[dict[str, Any]]:
        secrets = self._secrets()
        opened = await self._link(secrets).opened()
        described = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in opened.tools]
        return [secrets.scrubbed(each) for each in described]

    async def _call(self, tool: str, args: dict[str, Any]) -> Any:
        try:
            return await self._called(tool, args)
        except _SessionOver:
            # It refused the call for having forgotten the session, so that nothing was done.
            return await self._called(tool, args)

    async def _called(self, tool: str, args: dict[str, Any]) -> Any:
        secrets = self._secrets()
        link = self._link(secrets)
        opened = await link.opened()
        params = types.CallToolRequestParams(name=tool, arguments=args)
        with link.used():
            try:
                result = await opened.session.send_request(
                    types.CallToolRequest(params=params), types.CallToolResult, self.settings.timeout
                )
            except MCPError as error:
                raise self._failure(error, link, tool, secrets) from None
            except ValidationError:
                raise Unreachable(f"{tool}: the answer is not what MCP wants", may_have_arrived=True) from None
        scrubbed = secrets.scrubbed(result.model_dump(mode="json", by_alias=True))
        return value(types.CallToolResult.model_validate(scrubbed), tool)

    def _failure(self, error: MCPError, link: Link, tool: str, secrets: Secrets) -> Exception:
        if error.code == SESSION_OVER:
            link.give_up()
            return _SessionOver(error.message)
        if error.code == NOT_SENT:
            return Unreachable(f"{tool}: {error.message}", may_have_arrived=False)
        if error.code == REQUEST_TIMEOUT:
            # It may hang for good: the next call gets a new connection.
            link.give_up()
            return Unreachable(f"{tool} gave no answer within {self.settings.timeout:g} seconds", may_have_arrived=True)
        if error.code == CONNECTION_CLOSED:
            link.give_up()
            return Unreachable(f"{tool}: the MCP server {self.settings.name} ended in mid-call", may_have_arrived=True)
        return ToolException(f"{tool} failed: {brief(secrets.scrubbed(error.message), _LONGEST_REASON)}")

    def _link(self, secrets: Secrets) -> Link:
        if not self._links or not self._links[0].usable:
            self._links[:] = [Link(self.settings, secrets)]
        return self._links[0]

    def _secrets(self) -> Secrets:
        """Read what is given to the server in confidence.

        Raises:
            McpFailed: it is not set.
        """
        if self.settings.auth:
            try:
                return read_secrets([self.settings.auth])
            except ToolException as error:
                raise McpFailed(str(error)) from None
        return Secrets({}, {}, recognisable(passed_on(self.settings).values()))


class _SessionOver(McpFailed):
    """A session that the server does not know any more."""


def _leave(links: list[Link]) -> None:
    for link in links:
        link.loop.call_soon_threadsafe(link.give_up)
