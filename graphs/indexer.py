"""The indexer: reads the deployment's sources into the knowledge base, one after the other.

           ┌─ more ─┐
           ▼        │
START → choose → index ──► END
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, NotRequired

from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import Field
from typing_extensions import TypedDict

from agent.admins import refuse_others
from agent.background import in_background
from agent.errors import SettingsError
from agent.knowledge.documents import IndexReport, NoDocuments
from agent.knowledge.library import shared_base, source_of
from agent.settings import Settings, SourceSettings, load_settings


class Wanted(TypedDict):
    """What to index."""

    sources: Annotated[
        NotRequired[list[str]],
        Field(title="Sources", description="Sources as selfhelp.toml names them; all of them when empty."),
    ]
    prune: Annotated[
        NotRequired[bool],
        Field(title="Prune", description="Remove what was indexed of a source that is missing or empty now."),
    ]


class Indexing(Wanted):
    """What is still to be indexed, and what became of the rest."""

    pending: NotRequired[list[str]]
    reports: NotRequired[list[dict[str, Any]]]


def build(
    *, settings: Settings | None = None, checkpointer: BaseCheckpointSaver[Any] | None = None
) -> CompiledStateGraph[Indexing, None, Wanted, Indexing]:
    """Build the indexer's graph. Keys, files and network are left alone until its first run.

    Its custom stream says `{"type": "progress", "source", "done", "found"}` after each document. Callers choose among
    the sources that the settings name, and cannot add to them. On a server they must be administrators, as sources are
    of many owners.

    Args:
        settings: settings to use instead of selfhelp.toml and the environment.
        checkpointer: keeps the state of a run that is to go on after a crash.
    """

    async def current() -> Settings:
        return settings if settings is not None else await asyncio.to_thread(load_settings)

    async def choose(state: Wanted) -> Indexing:
        refuse_others("index the sources of the settings")
        named = [source.at for source in (await current()).knowledge.sources]
        if not named:
            raise SettingsError("no source is set: add sources under [knowledge] in selfhelp.toml")
        if unknown := [name for name in state.get("sources", ()) if name not in named]:
            raise SettingsError(f"no source {', '.join(unknown)} is set in selfhelp.toml; set are {', '.join(named)}")
        return Indexing(pending=state.get("sources") or named, reports=[])

    async def index(state: Indexing) -> Indexing:
        name, *rest = state["pending"]
        used = await current()
        source = next(source for source in used.knowledge.sources if source.at == name)
        report = await _indexed(used, source, prune=state.get("prune", False))
        return Indexing(pending=rest, reports=[*state["reports"], report])

    builder = StateGraph(Indexing, input_schema=Wanted)
    builder.add_node("choose", RunnableLambda(lambda state: in_background(choose(state)), choose, name="choose"))
    builder.add_node("index", RunnableLambda(lambda state: in_background(index(state)), index, name="index"))
    builder.add_edge(START, "choose")
    builder.add_edge("choose", "index")
    builder.add_conditional_edges("index", lambda state: "index" if state["pending"] else END, ["index", END])
    return builder.compile(checkpointer=checkpointer, name="indexer")


async def _indexed(settings: Settings, source: SourceSettings, *, prune: bool) -> dict[str, Any]:
    """Index a source and return its report. One that is missing is reported, and the others go on."""
    tell = get_stream_writer()

    def progress(done: int, found: int) -> None:
        tell({"type": "progress", "source": source.at, "done": done, "found": found})

    base = await shared_base(settings)
    try:
        report = await base.index(
            await source_of(source), collection=source.collection, owner=source.owner, prune=prune, progress=progress
        )
    except NoDocuments as error:
        report = IndexReport(failed=[(source.at, str(error))])
    return {"source": source.at, **asdict(report)}


graph = build()
