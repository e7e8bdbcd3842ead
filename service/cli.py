"""The command line: what people type to ask, to index documents, to serve, and to look after all that.

Exit codes: 0 done, 1 failed, 2 used wrongly.
"""

from __future__ import annotations

import asyncio
import codecs
import gc
import sys
from datetime import datetime
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import load_dotenv
from rich.console import Console
from rich.text import Text

from agent.context import Context
from agent.errors import SelfhelpError, SettingsError
from agent.ledger.records import By, Wanted
from agent.plain import legible
from agent.settings import Settings, load_settings
from service.commands import apis, assistants, documents, finetuning, keys, mcp, threads
from service.commands.evaluation import evaluate
from service.commands.options import FAILED, Json, console

MISUSED, INTERRUPTED = 2, 130
# Objects that one question may leave behind before Python looks for garbage among all that there are. With its own 700,
# that is a fifth of a start, which makes 300,000 and keeps them.
GARBAGE = 500_000

app = typer.Typer(
    name="selfhelp",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
errors = Console(stderr=True, highlight=False)

Model = Annotated[str | None, typer.Option(help="provider:name, such as openai:gpt-6-luna or local.")]
Yes = Annotated[bool, typer.Option("--yes", help="Run writes without asking.")]
PersonaName = Annotated[str | None, typer.Option(help="The persona to speak as.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only from or to this day, in UTC.")]
Thread = Annotated[str | None, typer.Option(help="The thread to carry on; a new one by default.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"selfhelp {version('selfhelp')}")
        raise typer.Exit


@app.callback()
def selfhelp(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """An assistant that answers from your documents and acts through your APIs."""


@app.command()
def demo(
    *,
    model: Model = None,
    question: Annotated[list[str] | None, typer.Option(help="Ask this instead; may be repeated.")] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Ask the example company's assistant five questions, the last of which writes, with no key and no network."""
    from service.demo import run_demo

    answered = asyncio.run(run_demo(_settings(model=model), console, question or [], yes=yes, as_json=json))
    raise typer.Exit(0 if answered else FAILED)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    *,
    thread: Thread = None,
    persona: PersonaName = None,
    model: Model = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Ask one question and print the answer with its sources."""
    gc.set_threshold(GARBAGE)
    from service.chat import ask_once

    text = _standard_input() if question == "-" else question
    if not text.strip():
        raise SettingsError("the question is empty: write it behind the command")
    context = _context(persona=persona, model=model, approvals={"*": "never"} if yes else None)
    answered = ask_once(_settings(), context, text, thread, console, as_json=json)
    raise typer.Exit(0 if answered else FAILED)


@app.command()
def chat(*, thread: Thread = None, persona: PersonaName = None, model: Model = None, yes: Yes = False) -> None:
    """Talk with the assistant. /help lists what else can be typed."""
    from service.chat import chat_loop

    context = _context(persona=persona, model=model, approvals={"*": "never"} if yes else None)
    chat_loop(_settings(), context, thread, console)


@app.command()
def approve(
    *,
    thread: Annotated[str | None, typer.Option(help="The thread that waits; the latest that does by default.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve all that waits.")] = False,
) -> None:
    """Decide on writes that wait for approval, and go on with the turn."""
    from service.chat import go_on

    raise typer.Exit(0 if go_on(_settings(), thread, console, approve=yes) else FAILED)


app.command()(documents.index)
app.command()(documents.search)
app.command("eval")(evaluate)
for _name, _group in (
    ("sources", documents),
    ("apis", apis),
    ("mcp", mcp),
    ("keys", keys),
    ("finetune", finetuning),
    ("assistants", assistants),
    ("threads", threads),
):
    app.add_typer(_group.app, name=_name)


@app.command()
def simulate(
    *,
    month: Annotated[Path, typer.Option(help="Exported threads, one in a line: selfhelp threads export-all.")],
    model: Annotated[list[str], typer.Option(help="Price them with this model; may be repeated.")],
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="A lever, such as history_tokens=8000 or cascade=openai:NAME.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what a month of real traffic would have cost with other models and settings."""
    from service.simulation.console import simulate as simulate_traffic

    simulate_traffic(_settings(), month, model, sets or [], console, as_json=json)


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 8000 by default.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
    proxies: Annotated[
        str | None, typer.Option(help="Addresses of proxies that are believed about who asks: 10.0.0.1,10.0.0.2")
    ] = None,
) -> None:
    """Serve the chat page and the HTTP API."""
    from service.serve import serve as serve_app

    settings = _settings()
    chosen = settings.service.host if host is None else host, settings.service.port if port is None else port
    serve_app(settings, *chosen, workers, proxies)


@app.command()
def usage(
    *,
    by: Annotated[By, typer.Option(help="What makes a group.")] = "day",
    owner: Annotated[str | None, typer.Option(help="Whose calls; everybody's by default.")] = None,
    since: Day = None,
    until: Day = None,
    html: Annotated[Path | None, typer.Option(help="Write a report with plots to this file instead.")] = None,
    json: Json = False,
) -> None:
    """Show what model calls used and cost, whoever made them, and how the budgets of today stand."""
    from service.usage import show_usage, write_usage_report

    wanted = Wanted(by, owner, *(f"{day:%Y-%m-%d}" if day else None for day in (since, until)))
    if html:
        asyncio.run(write_usage_report(_settings(), wanted, html, console))
    else:
        asyncio.run(show_usage(_settings(), wanted, console, as_json=json))


@app.command()
def record(
    cassette: Annotated[Path, typer.Argument(help="The file to write, such as cassettes/refund.yaml.")],
    questions: Annotated[list[str], typer.Argument(help="What to ask, one after the other in one conversation.")],
    *,
    persona: PersonaName = None,
    model: Model = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Ask questions and keep all that happens, so that it can be replayed without models and tools."""
    from service.cassettes.console import record_conversation

    context = _context(persona=persona, model=model, approvals={"*": "never"} if yes else None)
    record_conversation(_settings(), context, cassette, questions, console, as_json=json)


@app.command()
def replay(
    cassettes: Annotated[list[Path], typer.Argument(help="The files to replay.")],
    *,
    json: Json = False,
) -> None:
    """Ask recorded questions again, with the recorded replies and results, and show what differs."""
    from service.cassettes.console import replay_cassettes

    raise typer.Exit(0 if replay_cassettes(_settings(), cassettes, console, as_json=json) else FAILED)


@app.command()
def doctor(*, json: Json = False) -> None:
    """Say what is configured, what is reachable and what is wrong."""
    from service.doctor import examine, report

    checks = asyncio.run(examine())
    report(checks, console, as_json=json)
    raise typer.Exit(0 if all(check.ok for check in checks) else FAILED)


def main() -> None:
    """Run the command line."""
    _write_any_text()
    load_dotenv(Path(".env"))
    try:
        _check_arguments()
        app()
    except SettingsError as error:
        _complain(error, MISUSED)
    except SelfhelpError as error:
        _complain(error, FAILED)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(INTERRUPTED)


def _check_arguments() -> None:
    """Refuse bytes that are no text before anything is made of them."""
    for argument in sys.argv[1:]:
        if (legibly := legible(argument)) != argument:
            raise SettingsError(
                f"{legibly} is not UTF-8: write it in UTF-8, and give a file of such a name another one"
            )


def _write_any_text() -> None:
    """Let no answer fail for what a terminal cannot show. What goes elsewhere than to a terminal is UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, TextIOWrapper) or codecs.lookup(stream.encoding).name == "utf-8":
            continue
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8")


def _standard_input() -> str:
    return sys.stdin.buffer.read().decode(sys.stdin.encoding, errors="replace") if sys.stdin else ""


def _complain(error: SelfhelpError, code: int) -> None:
    errors.print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
    sys.exit(code)


def _settings(**given: Any) -> Settings:
    return load_settings(**{name: value for name, value in given.items() if value is not None})


def _context(**given: Any) -> Context:
    return Context(**{name: value for name, value in given.items() if value is not None})
