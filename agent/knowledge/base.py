"""The knowledge base: documents of many sources, kept as passages that are found by meaning and by words."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SelfhelpError
from agent.knowledge.documents import IndexReport, NoDocuments, Source
from agent.knowledge.embedders import Embedder
from agent.knowledge.engines import Engine, open_engine
from agent.knowledge.filters import Filter
from agent.knowledge.ingest import Ingest, Progress, Target
from agent.knowledge.lookup import Lookup, Placed
from agent.knowledge.nearest import Nearest
from agent.knowledge.opening import OpenServer, Parts, open_parts, settle
from agent.knowledge.passages import joined, within
from agent.knowledge.ranking import DENSE_WEIGHT, Hit, distinct, ranked
from agent.knowledge.sources import open_source
from agent.knowledge.store import Indexed
from agent.knowledge.words import has_words
from agent.plain import legible
from agent.state import Passage

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

logger = logging.getLogger(__name__)

LONGEST_QUERY = 2000
# How many passages meaning and words propose each.
CANDIDATES = 100
# Chunks from which on it is worth the seconds that preparing for searches takes.
LARGE = 20_000

EVERYBODYS = Filter()


class KnowledgeBase:
    """Collections of documents in one directory. Threads, event loops and processes may share it.

    Open it once per directory in a process.
    """

    def __init__(self, parts: Parts, embedder: Embedder | None, dense_weight: float) -> None:
        self._parts = parts
        self._lookup = Lookup(parts.database)
        self._nearest = Nearest(parts.database, parts.index)
        self._embedder = embedder
        self._dense_weight = dense_weight

    @classmethod
    async def open(
        cls,
        directory: Path,
        embedder: Embedder | None,
        *,
        server: OpenServer | None = None,
        dense_weight: float = DENSE_WEIGHT,
        rebuild: bool = False,
        progress: Progress | None = None,
    ) -> KnowledgeBase:
        """Open the knowledge base in a directory, or make an empty one. What a crash left behind is mended first.

        Args:
            directory: where it is kept.
            embedder: makes the vectors. Without one, search goes by words only.
            server: opens the index of a vector database by name; the vectors are kept in the directory when None.
            dense_weight: how much meaning counts against words in a score, 0 to 1.
            rebuild: make all vectors again with this embedder, from the text that is kept.
            progress: told how many passages of how many are rebuilt or mended.

        Raises:
            InUse: another process has it open, and its vectors are to be made anew.
            EmbedderChanged: its vectors are another embedder's.
            IndexUnusable: the directory cannot be used, or what is in it is no index.
        """
        if embedder is None:
            logger.info("there is no embedder: documents are searched by their words only, not by meaning")
        parts = await asyncio.to_thread(open_parts, directory, embedder, server)
        try:
            await settle(parts, embedder, progress, rebuild=rebuild)
        except BaseException:
            await asyncio.to_thread(parts.close)
            raise
        return cls(parts, embedder, dense_weight)

    async def close(self) -> None:
        """Close the index, after what is being written."""
        await asyncio.to_thread(self.close_at_once)

    def close_at_once(self) -> None:
        """Close the index where nothing can be awaited, such as at the end of the process."""
        self._parts.close()

    async def index(
        self,
        source: Source | str | Path,
        *,
        collection: str = "default",
        owner: str | None = None,
        prune: bool = False,
        engine: Engine | None = None,
        progress: Progress | None = None,
        embedding: Progress | None = None,
    ) -> IndexReport:
        """Make a collection hold the documents of a source as they are now, beside those of other sources.

        Args:
            source: a source, or a path, pattern or address of one.
            collection: name of the collection.
            owner: whose the documents are, None for everybody's.
            prune: remove what was indexed of the source even where it is missing or empty now.
            engine: where documents are read and embedded; threads of this process when None.
            progress: told after each document how many of those found so far are done.
            embedding: told how many of the passages that are known to need it are embedded.

        Raises:
            NoDocuments: the source is missing or has no documents. The collection stays as it was.
            EmbeddingFailed, EmbedderChanged, StoreFailed, VectorsFailed: what was written before is kept.
        """
        source = await asyncio.to_thread(open_source, source) if isinstance(source, str | Path) else source
        known = await asyncio.to_thread(self._parts.store.hashes, collection, source.key)
        target = Target(collection, source.key, owner)
        async with nullcontext(engine) if engine else open_engine() as used:
            ingest = Ingest(target, known, self._parts.writer, self._embedder, used, progress, embedding)
            try:
                await ingest.run(source)
            except NoDocuments as error:
                if not prune:
                    kept = ". What was indexed of it before is kept; selfhelp index --prune removes it" if known else ""
                    raise NoDocuments(f"{error}{kept}") from error
            finally:
                await source.close()
        report = ingest.report
        if not report.incomplete:
            unreadable = tuple(f"{name}/" for name, _ in report.failed)
            gone = [name for name in known if name not in ingest.names and not f"{name}/".startswith(unreadable)]
            await asyncio.to_thread(self._parts.writer.remove, collection, source.key, gone)
            report.removed += gone
        for names in (report.added, report.changed, report.unchanged, report.removed, report.skipped, report.failed):
            names.sort()
        return report

    async def version(self, where: Filter = EVERYBODYS) -> str:
        """Return what changes with anything that a search under a filter depends on, but for how well it is done.

        Args:
            where: which passages may be found.
        """
        documents = await asyncio.to_thread(self._parts.store.version, where)
        return f"{documents} {self._embedder.name if self._embedder else None} {self._dense_weight}"

    async def sources(self) -> list[Indexed]:
        """Return what is indexed of each source."""
        return await asyncio.to_thread(self._parts.store.sources)

    async def passages(self, places: Iterable[tuple[str, str]]) -> dict[str, int]:
        """Return how many passages there are of sources, by their keys.

        Args:
            places: collection and key of each.
        """
        return await asyncio.to_thread(self._parts.store.chunk_counts, places)

    async def check(self) -> None:
        """See whether it can be read.

        Raises:
            sqlite3.Error: it cannot.
        """
        await asyncio.to_thread(self._parts.store.check)

    async def remove(self, source: str, *, collection: str = "default") -> list[str]:
        """Remove a source's documents from a collection, and return their names.

        Args:
            source: key of the source, as `sources` has it.
            collection: name of the collection.
        """
        names = sorted(await asyncio.to_thread(self._parts.store.hashes, collection, source))
        await asyncio.to_thread(self._parts.writer.remove, collection, source, names)
        return names

    async def search(
        self,
        query: str,
        *,
        k: int = 4,
        where: Filter = EVERYBODYS,
        neighbours: int = 0,
        tokens: int | None = None,
    ) -> list[Passage]:
        """Find the passages that fit a query best, by meaning and by words, without those that repeat a better one.

        Args:
            query: any text, of which the first 2,000 characters count.
            k: the most to return.
            where: which passages may be found.
            neighbours: how many passages before and behind each are joined to it.
            tokens: what all of them may have together, at 4 characters a token; the last ends behind a sentence.

        Raises:
            EmbedderChanged: the embedder's vectors have another length than those of the index.
        """
        if not has_words(query := legible(query[:LONGEST_QUERY])):
            return []
        vector = await self._embedded(query)
        passages = await asyncio.to_thread(self._search, query, vector, k, where, neighbours)
        return passages if tokens is None else within(passages, tokens)

    async def hits(self, query: str, *, k: int = 4, where: Filter = EVERYBODYS) -> list[Hit]:
        """Find passages as `search` does, and say of each what its score is made of.

        Args:
            query: any text, of which the first 2,000 characters count.
            k: the most to return.
            where: which passages may be found.

        Raises:
            EmbedderChanged: the embedder's vectors have another length than those of the index.
        """
        if not has_words(query := legible(query[:LONGEST_QUERY])):
            return []
        return await asyncio.to_thread(self._hits, query, await self._embedded(query), k, where)

    async def warm(self) -> None:
        """Prepare a large base for its first searches, which take two to three times as long otherwise."""
        if await asyncio.to_thread(self._parts.store.count) > LARGE:
            await asyncio.to_thread(self._lookup.warm)

    async def around(self, key: str, distance: int = 1) -> list[Placed]:
        """Return a passage and its neighbours in the document's order; none if it is no more.

        Args:
            key: id of the passage.
            distance: how many passages before it, and how many behind it.
        """

        def around() -> list[Placed]:
            with self._parts.database.reading() as db:
                return self._lookup.around(db, key, distance)

        return await asyncio.to_thread(around)

    async def _embedded(self, query: str) -> Vector | None:
        if not self._embedder:
            return None
        try:
            return await self._embedder.aembed_query(query)
        except Exception as error:  # noqa: BLE001 - whatever a server or library raises, words can still be looked up
            logger.warning("the query is searched by its words only, as %s failed: %s", self._embedder.name, error)
            return None

    def _search(self, query: str, vector: Vector | None, k: int, where: Filter, neighbours: int) -> list[Passage]:
        near = self._near(vector, where)
        # One state of the file for all of it: else the neighbours may be of another version than the hits.
        with self._parts.database.reading() as db:
            passages = [hit.passage for hit in self._found(db, query, near, k, where)]
            if not neighbours:
                return passages
            return joined(passages, lambda key: self._lookup.around(db, key, neighbours))

    def _hits(self, query: str, vector: Vector | None, k: int, where: Filter) -> list[Hit]:
        near = self._near(vector, where)
        with self._parts.database.reading() as db:
            return self._found(db, query, near, k, where)

    def _found(self, db: sqlite3.Connection, query: str, near: Mapping[str, float], k: int, where: Filter) -> list[Hit]:
        found = self._lookup.find(db, query, near, where, CANDIDATES)
        return list(islice(distinct(ranked(found.passages, near, found.words, self._dense_weight)), k))

    def _near(self, vector: Vector | None, where: Filter) -> dict[str, float]:
        if vector is None:
            return {}
        self._parts.writer.expect(vector)
        try:
            self._parts.writer.catch_up()
        except SelfhelpError as error:
            logger.warning("what another process has indexed is found by its words only: %s", error)
        try:
            return self._nearest.search(vector, CANDIDATES, where)
        except Exception as error:  # noqa: BLE001 - whatever a vector database raises, words can still be looked up
            logger.warning("the query is searched by its words only, as the vector index failed: %s", error)
            return {}
