"""The command line: demo, ask, chat, index and doctor.

Exit codes: 0 done, 1 failed, 2 used wrongly.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import load_dotenv
from rich.console import Console
from rich.text import Text

from agent.context import Context
from agent.errors import SelfhelpError, SettingsError
from agent.settings import Settings, load_settings

FAILED, MISUSED, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="selfhelp",
    help="An assistant that answers from your documents and acts through your APIs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Model = Annotated[str | None, typer.Option(help="provider:name, such as openai:gpt-6-luna or local.")]
PersonaName = Annotated[str | None, typer.Option(help="The persona to speak as.")]
Thread = Annotated[str | None, typer.Option(help="The thread to carry on; a new one by default.")]


@app.command()
def demo(
    *,
    model: Model = None,
    question: Annotated[list[str] | None, typer.Option(help="Ask this instead; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Ask the example company's assistant four questions, with no key and no network."""
    from service.demo import run_demo

    answered = asyncio.run(run_demo(_settings(model=model), console, question or [], as_json=json))
    raise typer.Exit(0 if answered else FAILED)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    *,
    thread: Thread = None,
    persona: PersonaName = None,
    model: Model = None,
    json: Json = False,
) -> None:
    """Ask one question and print the answer with its sources."""
    from service.chat import ask_once

    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise SettingsError("the question is empty: write it behind the command")
    context = _context(persona=persona, model=model)
    answered = asyncio.run(ask_once(_settings(), context, text, thread, console, as_json=json))
    raise typer.Exit(0 if answered else FAILED)


@app.command()
def chat(*, thread: Thread = None, persona: PersonaName = None, model: Model = None) -> None:
    """Talk with the assistant. /help lists what else can be typed."""
    from service.chat import chat_loop

    chat_loop(_settings(), _context(persona=persona, model=model), thread, console)


@app.command()
def index(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of documents; the one in selfhelp.toml by default.")
    ] = None,
    *,
    collection: Annotated[str, typer.Option(help="The collection to put them in.")] = "default",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Embed everything anew, after a change of embedder.")
    ] = False,
    json: Json = False,
) -> None:
    """Read a folder of documents into the knowledge base. Unchanged ones cost next to nothing."""
    from service.index import index_folder

    complete = asyncio.run(index_folder(_settings(), folder, collection, console, rebuild=rebuild, as_json=json))
    raise typer.Exit(0 if complete else FAILED)


@app.command()
def doctor(*, json: Json = False) -> None:
    """Say what is configured, what is reachable and what is wrong."""
    from service.doctor import examine, report

    checks = asyncio.run(examine())
    report(checks, console, as_json=json)
    raise typer.Exit(0 if all(check.ok for check in checks) else FAILED)


def main() -> None:
    """Run the command line."""
    load_dotenv(Path(".env"))
    try:
        app()
    except SettingsError as error:
        _complain(error, MISUSED)
    except SelfhelpError as error:
        _complain(error, FAILED)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(INTERRUPTED)


def _complain(error: SelfhelpError, code: int) -> None:
    errors.print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
    sys.exit(code)


def _settings(**given: Any) -> Settings:
    return load_settings(**{name: value for name, value in given.items() if value is not None})


def _context(**given: Any) -> Context:
    return Context(**{name: value for name, value in given.items() if value is not None})
