"""What is indexed, and the passages behind a citation in their context."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from agent.context import Context
from agent.errors import SelfhelpError
from agent.knowledge.library import keys_of, open_base, open_knowledge
from agent.knowledge.lookup import Placed
from agent.settings import Settings
from agent.state import Source, sources_of
from agent.untrusted import visible
from service.console import counted
from service.conversation import Conversation, Desk
from service.places import place_of


class NoSource(SelfhelpError):
    """A passage or source that is not there."""


async def list_sources(settings: Settings, console: Console, *, as_json: bool) -> None:
    """Show what is indexed of each source."""
    base = await open_base(settings)
    try:
        indexed = await base.sources()
    finally:
        await base.close()
    for source in indexed:
        if as_json:
            console.file.write(json.dumps(asdict(source), ensure_ascii=False) + "\n")
            continue
        owner = f", of {source.owner}" if source.owner else ""
        held = f"{counted(source.documents, 'document')}, {counted(source.chunks, 'passage')}"
        place = f"{held} in {source.collection}{owner}"
        console.print(Text.assemble(f"{source.source}  ", (place, "dim")), soft_wrap=True)
    if not indexed and not as_json:
        console.print("nothing is indexed yet: selfhelp index FOLDER")


async def remove_source(settings: Settings, source: str, collection: str, console: Console) -> None:
    """Remove a source's documents.

    Args:
        settings: the settings.
        source: the source, as it is listed or by a path from here.
        collection: the collection that they are in.
        console: where to say how many they were.

    Raises:
        NoSource: nothing is indexed of it.
    """
    base = await open_base(settings)
    try:
        removed = [name for key in await keys_of(source) for name in await base.remove(key, collection=collection)]
    finally:
        await base.close()
    if not removed:
        raise NoSource(
            f"nothing of {source} is in the collection {collection}: selfhelp sources list shows what there is"
        )
    console.print(f"{len(removed)} removed")


async def show_source(settings: Settings, number: int, thread: str | None, console: Console, *, as_json: bool) -> None:
    """Show a passage that an answer of a thread cites, as it was quoted and with what stands around it now.

    Args:
        settings: the settings.
        number: number of the passage in its thread.
        thread: id of the thread; the one that was talked in last when None.
        console: where to show it.
        as_json: whether to write JSON instead.

    Raises:
        NoSource: the thread has no passage of that number.
    """
    async with Desk(settings) as desk:
        thread = thread or await desk.latest_thread()
        known = sources_of(await Conversation(desk.graph, Context(), thread).messages()) if thread else {}
    if thread is None:
        raise NoSource(f"there is no passage {number}, as there is no thread yet: selfhelp ask begins one")
    if number not in known:
        numbers = ", ".join(map(str, known)) or "none"
        raise NoSource(f"the thread {thread} has no passage {number}; it has {numbers}")
    source = known[number]
    base = await open_knowledge(settings)
    around = await base.around(source["id"])
    if as_json:
        context = [placed.passage.model_dump() for placed in around]
        console.file.write(json.dumps({**source, "context": context}, ensure_ascii=False) + "\n")
        return
    console.print(_in_context(source, around))


def _in_context(source: Source, around: list[Placed]) -> Panel:
    """Draw a passage, with what stands before and behind it dimmed."""
    text = Text()
    ids = [placed.passage.id for placed in around]
    here = ids.index(source["id"]) if source["id"] in ids else -1
    if here < 0:
        text.append("The document has changed since; this is what was quoted:\n\n", style="yellow")
    for placed in around[: max(here, 0)]:
        text.append(f"{visible(placed.passage.text)}\n\n", style="dim")
    text.append(visible(source["text"]), style="bold")
    for placed in around[here + 1 :]:
        text.append(f"\n\n{visible(placed.passage.text)}", style="dim")
    title = visible(" › ".join(filter(None, (source["title"], source["heading"]))))
    return Panel(
        text, title=escape(f"[{source['number']}] {title}"), subtitle=escape(f"{source['uri']} {place_of(source)}")
    )
