"""The commands of `selfhelp apis`."""

from __future__ import annotations

import asyncio

import typer

from agent.settings import load_settings
from service.commands.options import FAILED, Json, console

app = typer.Typer(help="APIs whose operations are tools.", no_args_is_help=True)


@app.command()
def check(*, json: Json = False) -> None:
    """Show what each API became: its tools, which of them write, and what was skipped and why."""
    from service.apis import check as check_apis

    readable = asyncio.run(check_apis(load_settings(), console, as_json=json))
    raise typer.Exit(0 if readable else FAILED)
