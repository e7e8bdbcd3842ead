"""The commands of `selfhelp finetune`."""

from __future__ import annotations

import asyncio
import json as json_module
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from agent.errors import SettingsError
from agent.settings import load_settings
from service.commands.options import FAILED, Json, console

app = typer.Typer(
    help="Training data from answers that people liked. For the operator: it reads everybody's threads.",
    no_args_is_help=True,
)

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


@app.command()
def submit(
    file: File,
    *,
    model: Annotated[str, typer.Option(help="What is trained: gpt-4.1-2025-04-14 or gpt-4.1-mini-2025-04-14.")],
    held_out: HeldOut = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="As many as OpenAI finds right by default.")] = None,
    suffix: Annotated[str | None, typer.Option(help="What the new model's name ends in.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another one orders the examples otherwise.")] = None,
    json: Json = False,
) -> None:
    """Start a hosted job at OpenAI, which takes them until 2027-01-06. The file leaves this machine.

    Organisations that never used hosted fine-tuning are barred already. It takes models of the gpt-4.1 family only, and
    these end on 2027-01-14, with what was made of them: `selfhelp finetune train` makes an adapter that stays yours.
    """
    from service.finetuning.hosted import Order
    from service.finetuning.hosted import submit as submit_file

    order = Order(file, model, _held_out(file, held_out), epochs, suffix, seed)
    job = asyncio.run(submit_file(load_settings(), order, datetime.now().astimezone().date()))
    _show_job(asdict(job), as_json=json)


@app.command()
def status(
    job: Annotated[str, typer.Argument(help="Id of the job, as submit printed it.")], *, json: Json = False
) -> None:
    """Show where a hosted job at OpenAI stands. It takes new ones until 2027-01-06.

    Exit codes: 0 the job is under way or succeeded, 1 it failed or was cancelled.
    """
    from service.finetuning.hosted import status as status_of

    found = asyncio.run(status_of(load_settings(), job))
    _show_job(asdict(found), as_json=json)
    raise typer.Exit(FAILED if found.status in ("failed", "cancelled") else 0)


@app.command()
def train(  # noqa: PLR0913 - its options
    file: File,
    out: Annotated[Path, typer.Argument(help="The folder to write the adapter to.")],
    *,
    base: Annotated[str, typer.Option(help="The model to adapt: a folder, or a name on the Hugging Face hub.")],
    held_out: HeldOut = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often each example is gone through.")] = 3,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the adapter.")] = 16,
    learning_rate: Annotated[float, typer.Option(min=0, help="Step of the optimiser.")] = 2e-4,
    max_tokens: Annotated[int, typer.Option(min=16, help="Longer samples are left out.")] = 4096,
    seed: Annotated[int, typer.Option(help="Another one begins otherwise.")] = 0,
    merged: Annotated[Path | None, typer.Option(help="A folder to write the whole model to, adapter included.")] = None,
    json: Json = False,
) -> None:
    """Train a LoRA adapter of an open model on this machine. It needs `selfhelp[lora]`, and a GPU for real models."""
    from service.console import progress
    from service.finetuning.lora import Recipe
    from service.finetuning.lora import train as train_adapter
    from service.finetuning.reports import show_trained

    recipe = Recipe(
        base, out, epochs, rank, learning_rate, most_tokens=max_tokens, seed=seed, merged=merged
    )  # fmt: skip
    with progress(Console(stderr=True, quiet=json), "Training") as told:
        trained = train_adapter(file, _held_out(file, held_out), recipe, told)
    if json:
        console.file.write(json_module.dumps(asdict(trained)) + "\n")
    else:
        show_trained(trained, out, console)


def _show_job(job: dict[str, Any], *, as_json: bool) -> None:
    from service.finetuning.hosted import ENDS
    from service.finetuning.reports import show_job

    if as_json:
        console.file.write(json_module.dumps(job, ensure_ascii=False) + "\n")
    else:
        show_job(job, ENDS, console)


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
