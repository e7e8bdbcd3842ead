"""The commands of `selfhelp keys`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from agent.settings import load_settings
from service.commands.options import Json, console

app = typer.Typer(help="Keys that let people and programs call the service.", no_args_is_help=True)


@app.command()
def create(  # noqa: PLR0913 - its options
    *,
    owner: Annotated[str, typer.Option(help="Whose requests it stands for: what is theirs has this name.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Let it see everybody's usage and feedback.")] = False,
    expires: Annotated[str | None, typer.Option(help="How long it works: 30m, 12h, 90d, 4w; else for ever.")] = None,
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests that it may make in a minute.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=1, help="Requests and runs that it may have under way.")] = None,
    daily_cost: Annotated[float | None, typer.Option(min=0, help="US dollars that it may cost in a day.")] = None,
    daily_tokens: Annotated[int | None, typer.Option(min=0, help="Tokens that it may use in a day.")] = None,
    json: Json = False,
) -> None:
    """Make a key and show it, this once."""
    from service.keys import create_key, end_of
    from service.records.keys import NewKey

    wanted = NewKey(owner, name, admin, per_minute, concurrent, daily_cost, daily_tokens, end_of(expires))
    asyncio.run(create_key(load_settings(), wanted, console, as_json=json))


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Show the keys, without what is secret."""
    from service.keys import list_keys

    asyncio.run(list_keys(load_settings(), console, as_json=json))


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="Id of the key, as `selfhelp keys list` shows it.")]) -> None:
    """End a key."""
    from service.keys import revoke_key

    asyncio.run(revoke_key(load_settings(), key, console))
