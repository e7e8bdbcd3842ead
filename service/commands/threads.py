"""The `threads` commands."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from agent.settings import load_settings
from service.commands.options import Json, console

ExportFormat = Literal["markdown", "json"]

app = typer.Typer(help="Conversations that are kept, everybody's.", no_args_is_help=True)
ThreadId = Annotated[str, typer.Argument(help="Id of the thread, as `selfhelp threads list` shows it.")]


@app.command("list")
def list_(
    *,
    owner: Annotated[str | None, typer.Option(help="Whose; everybody's by default.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to show.")] = 50,
    json: Json = False,
) -> None:
    """Show threads, the one with the latest news first."""
    from service.threads.console import list_threads

    asyncio.run(list_threads(load_settings(), owner, limit, console, as_json=json))


@app.command("show")
def show(thread: ThreadId, *, json: Json = False) -> None:
    """Show what was said in a thread."""
    from service.threads.console import show_thread

    asyncio.run(show_thread(load_settings(), thread, console, as_json=json))


@app.command("export")
def export(
    thread: ThreadId,
    *,
    kind: Annotated[ExportFormat, typer.Option("--format", help="What to write.")] = "markdown",
    to: Annotated[Path | None, typer.Option("--to", help="The file to write; standard output by default.")] = None,
) -> None:
    """Write a thread with its sources into a file."""
    from service.threads.console import export_thread

    asyncio.run(export_thread(load_settings(), thread, kind, to, console))


@app.command("export-all")
def export_all(
    *, since: Annotated[datetime | None, typer.Option(help="Only threads that were begun since.")] = None
) -> None:
    """Write all threads to standard output as JSON, one in a line, with what each model call used."""
    from service.threads.export import lines

    async def write() -> None:
        async with aclosing(lines(load_settings(), since.timestamp() if since else None)) as written:
            async for line in written:
                console.file.write(f"{line}\n")

    asyncio.run(write())


@app.command("delete")
def delete(
    threads: Annotated[list[str], typer.Argument(help="Ids of the threads.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete threads with their checkpoints, runs, records of writes and feedback. What they cost stays."""
    from service.threads.console import delete_threads

    asyncio.run(delete_threads(load_settings(), threads, console, yes=yes))


@app.command("prune")
def prune(
    *,
    older: Annotated[
        str | None, typer.Option(help="How long nothing has happened in them: 12h, 90d, 4w; as [retention] says.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    json: Json = False,
) -> None:
    """Delete threads that nobody has used for a time."""
    from service.threads.console import prune_threads

    asyncio.run(prune_threads(load_settings(), older, console, dry=dry, as_json=json))
