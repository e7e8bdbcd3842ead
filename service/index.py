"""Reading documents into the knowledge base, with a progress bar and a report; and going on as they change."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.text import Text

from agent.errors import SettingsError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.documents import IndexReport, NoDocuments, Source
from agent.knowledge.engines import Engine, EngineName, open_engine
from agent.knowledge.library import open_base, source_of
from agent.knowledge.sources.files import OnDisk
from agent.knowledge.sources.watch import changes
from agent.settings import Settings, SourceSettings
from service.console import bars, progress

SKIPPED_SHOWN = 10


@dataclass(frozen=True)
class Wish:
    """How to index.

    Args:
        rebuild: embed everything anew.
        prune: remove what was indexed of a source that is missing or empty now.
        watch: go on, and index what changes.
        engine: where documents are read and embedded.
        workers: how many do it; as many as there are cores when None.
    """

    rebuild: bool
    prune: bool
    watch: bool
    engine: EngineName
    workers: int | None


async def index_sources(
    settings: Settings, given: Sequence[SourceSettings], wish: Wish, console: Console, *, as_json: bool
) -> bool:
    """Index sources and report. Returns whether every document could be read.

    Args:
        settings: the settings.
        given: the sources; those of the settings when there are none.
        wish: how to index them.
        console: where to report.
        as_json: whether to report in JSON, a line for each source.

    Raises:
        SettingsError: no source is given or set.
    """
    wanted = list(given) or settings.knowledge.sources
    # A rebuild needs no documents: their text is kept.
    if not wanted and (wish.watch or not wish.rebuild):
        raise SettingsError(
            "which documents? Write a folder, file or address behind the command, or set sources under [knowledge] in "
            "selfhelp.toml"
        )
    sources = {await source_of(each): each for each in wanted}
    async with open_engine(wish.engine, wish.workers) as engine:
        indexing = _Indexing(settings, sources, engine, wish, console, as_json)
        # A watch begins with all that is on this machine.
        now = [source for source in sources if not (wish.watch and isinstance(source, OnDisk))]
        complete = await indexing.index(now, rebuild=wish.rebuild)
        if wish.watch:
            Console(stderr=True, quiet=as_json).print(Text("watching for changes; Ctrl-C ends it", style="dim"))
            async for touched in changes(list(sources)):
                await indexing.index(touched)
    return complete


@dataclass(frozen=True)
class _Indexing:
    settings: Settings
    sources: dict[Source, SourceSettings]
    engine: Engine
    wish: Wish
    console: Console
    as_json: bool

    async def index(self, sources: Collection[Source], *, rebuild: bool = False) -> bool:
        """Index sources and report. The base is open for that long only, so that a watch leaves it to others."""
        with progress(Console(stderr=True, quiet=self.as_json), "Preparing") as report:
            base = await open_base(self.settings, rebuild=rebuild, progress=report)
        try:
            if rebuild and not self.as_json:
                passages = sum(source.chunks for source in await base.sources())
                self.console.print(f"{passages} passages rebuilt")
            return all([await self._index(source, base) for source in sources])
        finally:
            await base.close()

    async def _index(self, source: Source, base: KnowledgeBase) -> bool:
        """Index one source and report. One that is missing or empty does not keep others, or a watch, from going on."""
        wanted = self.sources[source]
        try:
            with bars(Console(stderr=True, quiet=self.as_json)) as bar:
                indexed = await base.index(
                    source,
                    collection=wanted.collection,
                    owner=wanted.owner,
                    prune=self.wish.prune,
                    engine=self.engine,
                    progress=bar(f"Indexing {wanted.at}"),
                    embedding=bar("Embedding passages"),
                )
        except NoDocuments as error:
            if len(self.sources) == 1 and not self.wish.watch:
                raise
            indexed = IndexReport(failed=[(wanted.at, str(error))])
        if self.as_json:
            line = {"source": source.key, "collection": wanted.collection, **asdict(indexed)}
            self.console.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            _show(wanted.at if len(self.sources) > 1 else "", indexed, self.console)
        return not indexed.failed


def _show(name: str, report: IndexReport, console: Console) -> None:
    counts = {label: len(getattr(report, label)) for label in ("added", "changed", "unchanged", "removed")}
    counted = ", ".join(f"{count} {label}" for label, count in counts.items() if count) or "nothing to index"
    console.print(Text(": ".join(filter(None, (name, counted)))))
    for document, reason in report.skipped[:SKIPPED_SHOWN]:
        console.print(Text.assemble(("skipped ", "yellow"), f"{document}: {reason}"), soft_wrap=True)
    if more := len(report.skipped[SKIPPED_SHOWN:]):
        console.print(Text.assemble(("skipped ", "yellow"), f"{more} more: --json tells which"), soft_wrap=True)
    for document, reason in report.failed:
        console.print(Text.assemble(("failed ", "red"), f"{document}: {reason}"), soft_wrap=True)
    if report.incomplete:
        console.print(Text.assemble(("incomplete ", "yellow"), report.incomplete), soft_wrap=True)
