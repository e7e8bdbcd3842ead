"""The LangChain tool of one tool of a server."""

from __future__ import annotations

import json
from typing import Any, Never

from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from tools.mcp.connections import Connection


class McpTool(BaseTool):
    """Calls a tool of an MCP server."""

    _connection: Connection = PrivateAttr()
    _remote_name: str = PrivateAttr()

    @classmethod
    def of(cls, connection: Connection, remote_name: str, **shown: Any) -> McpTool:
        """Return the tool.

        Args:
            connection: calls it.
            remote_name: the server's name of it.
            shown: name, description, schema of the arguments, and metadata.
        """
        tool = cls(**shown)
        tool._connection, tool._remote_name = connection, remote_name
        tool.metadata = {**(tool.metadata or {}), "preview": tool.preview}
        return tool

    def preview(self, args: dict[str, Any]) -> str:
        """Return what a call sends."""
        sent = json.dumps(args, ensure_ascii=False, indent=2, default=str)
        return f"{self._remote_name} of the MCP server {self._connection.settings.name}\n{sent}"

    # Positional only: an argument of the tool may be called `self`, or `config`.
    async def _arun(self, /, **args: Any) -> Any:
        return await self._connection.call(self._remote_name, args)

    def _run(self, /, **_args: Any) -> Never:
        raise NotImplementedError(f"{self.name} waits for a server: call it with ainvoke")
