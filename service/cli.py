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
from agent.knowledge.engines import EngineName
from agent.knowledge.filters import Filter
from agent.ledger.records import By, Wanted
from agent.plain import legible
from agent.settings import Settings, SourceSettings, load_settings
from service.assistants.commands import app as assistants_app
from service.evaluation.commands import evaluate
from service.finetuning.commands import app as finetune_app
from service.threads.commands import app as threads_app

FAILED, MISUSED, INTERRUPTED = 1, 2, 130
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
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Model = Annotated[str | None, typer.Option(help="provider:name, such as openai:gpt-6-luna or local.")]
Yes = Annotated[bool, typer.Option("--yes", help="Run writes without asking.")]
PersonaName = Annotated[str | None, typer.Option(help="The persona to speak as.")]
Collection = Annotated[str, typer.Option(help="The collection of documents.")]
Owner = Annotated[str | None, typer.Option(help="Whose documents they are, beside everybody's.")]
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


@app.command()
def index(  # noqa: PLR0913 - its options
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Folders, files, patterns, zips or addresses; those in selfhelp.toml by default."),
    ] = None,
    *,
    collection: Collection = "default",
    owner: Owner = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what was indexed of a source that is missing or empty now.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Embed everything anew, after a change of embedder.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and index what changes.")] = False,
    pages: Annotated[int | None, typer.Option(min=1, help="The most pages of a web site; 500 by default.")] = None,
    engine: Annotated[
        EngineName, typer.Option(help="Where documents are read and embedded: threads, processes or ray.")
    ] = "threads",
    workers: Annotated[int | None, typer.Option(min=1, help="How many do it; as many as cores by default.")] = None,
    json: Json = False,
) -> None:
    """Read documents into the knowledge base. Unchanged ones cost next to nothing."""
    from service.index import Wish, index_sources

    given = [SourceSettings(at=at, collection=collection, owner=owner, pages=pages) for at in sources or ()]
    wish = Wish(rebuild=rebuild, prune=prune, watch=watch, engine=engine, workers=workers)
    complete = asyncio.run(index_sources(_settings(), given, wish, console, as_json=json))
    raise typer.Exit(0 if complete else FAILED)


@app.command()
def search(  # noqa: PLR0913 - its options
    query: Annotated[str, typer.Argument(help="What to search for.")],
    *,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="The most passages to show.")] = 4,
    collection: Collection = "default",
    owner: Owner = None,
    source: Annotated[list[str] | None, typer.Option(help="Only of this source; may be repeated.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only of this format, such as pdf or md; may be repeated.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only of documents changed since.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only of documents changed until.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    json: Json = False,
) -> None:
    """Search the documents, as the assistant does."""
    from service.search import search_documents

    where = Filter(
        collection=collection,
        owner=owner,
        sources=tuple(source or ()),
        kinds=tuple(kind or ()),
        since=since.timestamp() if since else None,
        until=until.timestamp() if until else None,
    )
    found = asyncio.run(search_documents(_settings(), query, k, where, console, explain=explain, as_json=json))
    raise typer.Exit(0 if found else FAILED)


sources_app = typer.Typer(help="What is indexed, and the passages that answers cite.", no_args_is_help=True)
app.add_typer(sources_app, name="sources")


@sources_app.command("list")
def sources_list(*, json: Json = False) -> None:
    """Show what is indexed of each source."""
    from service.sources import list_sources

    asyncio.run(list_sources(_settings(), console, as_json=json))


@sources_app.command("show")
def sources_show(
    number: Annotated[int, typer.Argument(help="Number of the passage, as the answer cites it.")],
    *,
    thread: Annotated[str | None, typer.Option(help="The thread that the answer is in; the latest by default.")] = None,
    json: Json = False,
) -> None:
    """Show a cited passage in its context."""
    from service.sources import show_source

    asyncio.run(show_source(_settings(), number, thread, console, as_json=json))


@sources_app.command("remove")
def sources_remove(
    source: Annotated[str, typer.Argument(help="The source, as `selfhelp sources list` shows it, or a path.")],
    *,
    collection: Collection = "default",
) -> None:
    """Remove a source's documents from the knowledge base."""
    from service.sources import remove_source

    asyncio.run(remove_source(_settings(), source, collection, console))


apis_app = typer.Typer(help="APIs whose operations are tools.", no_args_is_help=True)
app.add_typer(apis_app, name="apis")


@apis_app.command("check")
def apis_check(*, json: Json = False) -> None:
    """Show what each API became: its tools, which of them write, and what was skipped and why."""
    from service.apis import check

    readable = asyncio.run(check(_settings(), console, as_json=json))
    raise typer.Exit(0 if readable else FAILED)


mcp_app = typer.Typer(help="Serve the assistant's tools over MCP, and check the MCP servers that it uses.")
app.add_typer(mcp_app, name="mcp")


@mcp_app.callback(invoke_without_command=True)
def mcp(
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

    if http:
        errors.print(f"MCP at http://127.0.0.1:{port}/mcp")
    asyncio.run(serve_http(_settings(), port, writes=writes) if http else serve_stdio(_settings(), writes=writes))


@mcp_app.command("check")
def mcp_check(*, json: Json = False) -> None:
    """Show the tools of each MCP server, which of them write, and what was skipped and why."""
    from service.mcp_servers import check

    there = asyncio.run(check(_settings(), console, as_json=json))
    raise typer.Exit(0 if there else FAILED)


keys_app = typer.Typer(help="Keys that let people and programs call the service.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")


@keys_app.command("create")
def keys_create(  # noqa: PLR0913 - its options
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
    asyncio.run(create_key(_settings(), wanted, console, as_json=json))


@keys_app.command("list")
def keys_list(*, json: Json = False) -> None:
    """Show the keys, without what is secret."""
    from service.keys import list_keys

    asyncio.run(list_keys(_settings(), console, as_json=json))


@keys_app.command("revoke")
def keys_revoke(key: Annotated[str, typer.Argument(help="Id of the key, as `selfhelp keys list` shows it.")]) -> None:
    """End a key."""
    from service.keys import revoke_key

    asyncio.run(revoke_key(_settings(), key, console))


app.command("eval")(evaluate)
app.add_typer(finetune_app, name="finetune")
app.add_typer(assistants_app, name="assistants")
app.add_typer(threads_app, name="threads")


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
    from service.simulation.commands import simulate as simulate_traffic

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
    from service.cassettes.commands import record_conversation

    context = _context(persona=persona, model=model, approvals={"*": "never"} if yes else None)
    record_conversation(_settings(), context, cassette, questions, console, as_json=json)


@app.command()
def replay(
    cassettes: Annotated[list[Path], typer.Argument(help="The files to replay.")],
    *,
    json: Json = False,
) -> None:
    """Ask recorded questions again, with the recorded replies and results, and show what differs."""
    from service.cassettes.commands import replay_cassettes

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
