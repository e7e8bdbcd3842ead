"""The command `selfhelp eval`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from agent.settings import load_settings
from service.commands.options import FAILED, Json, console


def evaluate(  # noqa: PLR0913 - its options
    cases: Annotated[
        str, typer.Argument(metavar="SET", help="The set, a JSONL file; shop is the one over the example company.")
    ],
    *,
    config: Annotated[
        list[str] | None,
        typer.Option(
            help="A configuration: assistant, react, or NAME=field=value,field=value with graph and the fields of the "
            "context; may be repeated."
        ),
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="Run each on this model; may be repeated.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The most cases, evenly spread over the set.")] = None,
    parallel: Annotated[
        int | None, typer.Option(min=1, help="Cases at once; 4 by default, and 1 where a model is local.")
    ] = None,
    shop: Annotated[bool, typer.Option("--shop", help="Run the set against the example company.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Ask anew what was answered before.")] = False,
    judge: Annotated[str | None, typer.Option(help="A model that judges the answers too.")] = None,
    html: Annotated[Path | None, typer.Option(help="Where the report goes; into the folder by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for what comes of the cases.")] = None,
    json: Json = False,
) -> None:
    """Run a set of cases against one or more configurations, and say which is better. It goes on where it stopped."""
    from service.evaluation.evaluate import Wish
    from service.evaluation.evaluate import evaluate as run

    wish = Wish(cases, config or (), model or (), limit, parallel, shop, again, judge, html, out)
    complete = asyncio.run(run(load_settings(), wish, console, as_json=json))
    raise typer.Exit(0 if complete else FAILED)
