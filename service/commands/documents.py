"""The commands about documents: `selfhelp index`, `selfhelp search`, and those of `selfhelp sources`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from agent.knowledge.engines import EngineName
from agent.knowledge.filters import Filter
from agent.settings import SourceSettings, load_settings
from service.commands.options import FAILED, Json, console

Collection = Annotated[str, typer.Option(help="The collection of documents.")]
Owner = Annotated[str | None, typer.Option(help="Whose documents they are, beside everybody's.")]


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
    complete = asyncio.run(index_sources(load_settings(), given, wish, console, as_json=json))
    raise typer.Exit(0 if complete else FAILED)


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
    found = asyncio.run(search_documents(load_settings(), query, k, where, console, explain=explain, as_json=json))
    raise typer.Exit(0 if found else FAILED)


app = typer.Typer(help="What is indexed, and the passages that answers cite.", no_args_is_help=True)


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Show what is indexed of each source."""
    from service.sources import list_sources

    asyncio.run(list_sources(load_settings(), console, as_json=json))


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="Number of the passage, as the answer cites it.")],
    *,
    thread: Annotated[str | None, typer.Option(help="The thread that the answer is in; the latest by default.")] = None,
    json: Json = False,
) -> None:
    """Show a cited passage in its context."""
    from service.sources import show_source

    asyncio.run(show_source(load_settings(), number, thread, console, as_json=json))


@app.command()
def remove(
    source: Annotated[str, typer.Argument(help="The source, as `selfhelp sources list` shows it, or a path.")],
    *,
    collection: Collection = "default",
) -> None:
    """Remove a source's documents from the knowledge base."""
    from service.sources import remove_source

    asyncio.run(remove_source(load_settings(), source, collection, console))
