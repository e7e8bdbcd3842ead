"""Searching the documents from the command line, with the reasons of each score."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from rich.console import Console
from rich.text import Text

from agent.errors import SettingsError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.filters import Filter
from agent.knowledge.formats.kinds import KINDS, kind_of
from agent.knowledge.library import keys_of, open_knowledge
from agent.knowledge.ranking import Hit
from agent.settings import Settings
from agent.untrusted import visible
from service.places import place_of

LONGEST_QUOTE = 240


async def search_documents(
    settings: Settings, query: str, k: int, where: Filter, console: Console, *, explain: bool, as_json: bool
) -> bool:
    """Search and show what is found. Returns whether anything is.

    Args:
        settings: the settings.
        query: what to search for.
        k: the most to show.
        where: which passages may be found. Its sources may be paths from here, and its kinds suffixes of files.
        console: where to show it.
        explain: whether to show what each score is made of.
        as_json: whether to write JSON, a line for each passage.

    Raises:
        SettingsError: there is nothing to search for, or no such kind of document.
    """
    if not query.strip():
        raise SettingsError("the query is empty: write what to search for behind the command")
    sources = tuple([key for source in where.sources for key in await keys_of(source)])
    where = replace(where, sources=sources, kinds=tuple(map(_kind, where.kinds)))
    base = await open_knowledge(settings)
    hits = await base.hits(query, k=k, where=where)
    for number, hit in enumerate(hits, 1):
        if as_json:
            facts = asdict(hit) | {"passage": hit.passage.model_dump()}
            console.file.write(json.dumps(facts, ensure_ascii=False) + "\n")
            continue
        console.print(_line(number, hit), soft_wrap=True)
        if explain:
            console.print(Text(f"    {_explained(hit)}", style="yellow"), soft_wrap=True)
    if not hits and not as_json:
        console.print(Text(await _why_nothing(base, where)))
    return bool(hits)


def _kind(name: str) -> str:
    kind = name if name in KINDS else kind_of(f"a.{name.removeprefix('.')}")
    if kind is None:
        raise SettingsError(f"--kind {name} is no format of documents: write one of {', '.join(KINDS)}")
    return kind


async def _why_nothing(base: KnowledgeBase, where: Filter) -> str:
    indexed = await base.sources()
    if not indexed:
        return "nothing is indexed yet: selfhelp index FOLDER"
    here = {each.source for each in indexed if each.collection == where.collection}
    if not here:
        there = ", ".join(sorted({each.collection for each in indexed}))
        return f"nothing is in the collection {where.collection}: there is {there}"
    if where.sources and here.isdisjoint(where.sources):
        return "nothing is indexed of such a source: selfhelp sources list shows what there is"
    return "nothing found"


def _line(number: int, hit: Hit) -> Text:
    passage = hit.passage
    quote = " ".join(visible(passage.text).split())
    line = Text(f"{number}. ", style="cyan")
    line.append(visible(" › ".join(filter(None, (passage.title, passage.heading)))), style="bold")
    line.append(f"  {place_of(passage.model_dump())}  {passage.score:.2f}\n", style="dim")
    line.append(f"    {quote[:LONGEST_QUOTE]}{'…' if len(quote) > LONGEST_QUOTE else ''}")
    return line


def _explained(hit: Hit) -> str:
    meaning = "not among the nearest" if hit.similarity is None else f"cosine {hit.similarity:.3f}"
    words = "no word in common" if hit.bm25 is None else f"BM25 {hit.bm25:.2f}"
    return (
        f"{hit.passage.score:.3f} = {hit.by_meaning:.3f} by meaning ({meaning}) + {hit.by_words:.3f} by words ({words})"
    )
