"""An MCP server in place of npm's filesystem server: the same tools over standard input and output, which do nothing."""

from __future__ import annotations

from mcp.server import MCPServer

server = MCPServer("files")
for name in ("read_text_file", "list_directory", "write_file"):
    server.add_tool(lambda path: path, name=name, description=name.replace("_", " "))

server.run("stdio")
