"""The commands of `selfhelp finetune`."""

from __future__ import annotations

import asyncio
import json as json_module
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from agent.errors import SettingsError
from agent.settings import load_settings

FAILED = 1

app = typer.Typer(
    help="Training data from answers that people liked. For the operator: it reads everybody's threads.",
    no_args_is_help=True,
)
console = Console(highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
File = Annotated[Path, typer.Argument(help="The training file: an example in JSON on each line.")]
HeldOut = Annotated[
    Path | None, typer.Option("--held-out", help="The examples that are held out; held-out.jsonl beside the file.")
]


@app.command()
def export(  # noqa: PLR0913 - its options
    out: Annotated[Path, typer.Argument(help="The folder to write: train.jsonl, held-out.jsonl and provenance.jsonl.")],
    *,
    since: Annotated[datetime | None, typer.Option(help="Only with an opinion given since.")] = None,
    thumb: Annotated[
        Literal["up"] | None, typer.Option(help="Only answers that were liked, not those that a person wrote anew.")
    ] = None,
    persona: Annotated[str | None, typer.Option(help="Only threads in which this persona speaks.")] = None,
    held_out: Annotated[float, typer.Option(min=0, max=0.9, help="The share to keep for evaluation.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Another one keeps others.")] = 0,
    mask: Annotated[bool, typer.Option("--mask/--no-mask", help="Mask personal data.")] = True,
    names: Annotated[
        Path | None, typer.Option(help="A file of names to mask too, one on each line: no library knows them.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="Country whose telephone numbers need no country code to be found; US, GB and DE by default."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write threads with good answers as training examples. It reads the threads of all owners.

    An answer that a person wrote anew takes the place of the model's. Of examples that say nearly the same, one is
    written.
    """
    from service.finetuning.export import Split
    from service.finetuning.export import export as export_threads
    from service.finetuning.masking import REGIONS, Masking
    from service.finetuning.reports import show_exported
    from service.finetuning.selection import Wanted

    wanted = Wanted(since.timestamp() if since else None, thumb, persona)
    masking = Masking(region or REGIONS, _lines(names) if names else ()) if mask else None
    exported = asyncio.run(export_threads(load_settings(), out, wanted, Split(held_out, seed), masking))
    if json:
        console.file.write(json_module.dumps({"folder": str(out), **asdict(exported)}, ensure_ascii=False) + "\n")
    else:
        show_exported(exported, out, console, masking=mask)


@app.command()
def validate(
    file: File,
    *,
    held_out: HeldOut = None,
    price: Annotated[
        float | None, typer.Option(min=0, help="US dollars for a million tokens of training, as your provider says.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often each example is gone through.")] = 3,
    json: Json = False,
) -> None:
    """Check every example of a training file, count its tokens and say what training would cost.

    Exit codes: 0 nothing is wrong, 1 something is, 2 used wrongly.
    """
    from service.finetuning.reports import report_json, show_report
    from service.finetuning.validation import validate as validate_file

    report = validate_file(file, _held_out(file, held_out))
    cost = report.cost(price, epochs)
    if json:
        console.file.write(json_module.dumps(report_json(report, cost, epochs), ensure_ascii=False) + "\n")
    else:
        show_report(report, file, cost, epochs, console)
    raise typer.Exit(FAILED if report.problems else 0)


def _held_out(file: Path, given: Path | None) -> Path | None:
    from service.finetuning.validation import HELD_OUT

    beside = file.with_name(HELD_OUT)
    return given or (beside if beside != file and beside.exists() else None)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return [line.strip() for line in lines if line.strip()]
