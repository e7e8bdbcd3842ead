"""The commands of `selfhelp assistants`."""

from __future__ import annotations

import asyncio
import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agent.settings import load_settings
from service.commands.options import FAILED, Json, console

app = typer.Typer(help="What was saved of OpenAI's Assistants API, which ended on 2026-08-26.", no_args_is_help=True)


@app.command("import")
def import_(
    export: Annotated[Path, typer.Argument(help="The export: a folder, or a file of JSON or JSONL.")],
    *,
    owner: Annotated[str, typer.Option(help="Whose the threads become; of this machine by default.")] = "local",
    owner_from: Annotated[
        str | None, typer.Option(help="Key of the threads' metadata that says whose each is, such as user_id.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="provider:name for the personas; the successor of each one's model by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Make personas of assistants, collections of their files, and threads of theirs that can be carried on.

    It can be run again: what is there already stays as it is. What has no equivalent is listed.
    """
    from service.assistants.importing import import_export
    from service.assistants.outcome import Wish
    from service.assistants.report import show

    imported = asyncio.run(import_export(load_settings(), export, Wish(owner, owner_from, model)))
    if json:
        console.file.write(json_module.dumps(asdict(imported), ensure_ascii=False) + "\n")
    else:
        show(imported, console)
    raise typer.Exit(0 if imported.personas or imported.threads else FAILED)
