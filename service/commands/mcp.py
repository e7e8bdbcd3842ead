"""The commands of `selfhelp mcp`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from agent.settings import load_settings
from service.commands.options import FAILED, Json, console

app = typer.Typer(help="Serve the assistant's tools over MCP, and check the MCP servers that it uses.")


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    *,
    writes: Annotated[
        bool, typer.Option("--writes", help="Serve tools that write too. The client asks about them.")
    ] = False,
    http: Annotated[
        bool, typer.Option("--http", help="Serve by HTTP on this machine, not over standard input.")
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to serve at.")] = 8765,
) -> None:
    """Serve the assistant and its tools to MCP clients, over standard input and output."""
    if context.invoked_subcommand:
        return
    from service.mcp import serve_http, serve_stdio

    settings = load_settings()
    if http:
        Console(stderr=True, highlight=False).print(f"MCP at http://127.0.0.1:{port}/mcp")
    asyncio.run(serve_http(settings, port, writes=writes) if http else serve_stdio(settings, writes=writes))


@app.command()
def check(*, json: Json = False) -> None:
    """Show the tools of each MCP server, which of them write, and what was skipped and why."""
    from service.mcp_servers import check as check_servers

    there = asyncio.run(check_servers(load_settings(), console, as_json=json))
    raise typer.Exit(0 if there else FAILED)
