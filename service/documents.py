"""People's own documents: kept as files, and indexed one after the other."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.errors import SelfhelpError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.ingest import Progress
from agent.knowledge.lock import InUse
from service import metrics
from service.records.database import database_errors
from service.records.tables import documents
from service.uploads import Upload, folder_name, name_and_kind, saved

Status = Literal["queued", "indexing", "indexed", "failed"]

UPLOADS = "uploads"
# Seconds between notes of how far a document is, and after which a process that makes none has ended.
NOTED_EVERY = 1.0
LEASE = 15.0
# A document that ends the process which reads it is not to end every process.
MOST_ATTEMPTS = 3
# Seconds between looks at what other processes have left, and between attempts while a database cannot be used.
LOOKED_EVERY = 5.0
TRIED_EVERY = 2.0
UNKNOWN = "it could not be indexed: the log of the service says why"
DEADLY = f"the service ended {MOST_ATTEMPTS} times while it was indexed: it may be damaged, or too large for its memory"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Document:
    """A document that somebody uploaded. Of its passages, `embedded` are while it is indexed, `to_embed` are to be."""

    id: str
    owner: str
    collection: str
    name: str
    kind: str
    bytes: int
    status: Status
    error: str | None
    created: float
    updated: float
    embedded: int | None = None
    to_embed: int | None = None
    attempts: int = 0


class Documents:
    """Takes documents in, and indexes them in the background of this process.

    Args:
        database: the service's database.
        folder: where the files are kept.
        knowledge: opens the knowledge base.
    """

    def __init__(self, database: AsyncEngine, folder: Path, knowledge: Callable[[], Awaitable[KnowledgeBase]]) -> None:
        self._database = database
        self._folder = folder / UPLOADS
        self._knowledge = knowledge
        self._asked = asyncio.Event()
        self._idle = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._index_all())
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._worker:
            self._worker.cancel()
            with suppress(asyncio.CancelledError):
                await self._worker

    async def take(self, upload: Upload, owner: str, collection: str) -> Document:
        """Keep a file and have it indexed.

        Args:
            upload: the file.
            owner: whose it is.
            collection: name of the collection that it goes into.

        Raises:
            Refused: it is no document that can be read.
            OSError: it cannot be kept. Nothing of it stays.
        """
        name, kind = name_and_kind(upload)
        now = time.time()
        document = Document(uuid.uuid4().hex, owner, collection, name, kind, 0, "queued", None, now, now)
        path = self.path(document)
        try:
            size = await saved(upload, path)
            async with self._database.begin() as connection:
                values = {**vars(document), "bytes": size}
                await connection.execute(insert(documents).values(**values))
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, path.parent, ignore_errors=True)
            raise
        self._ask()
        return Document(**values)

    async def all(self, owner: str) -> list[Document]:
        """Return the documents of a person, the latest first."""
        wanted = select(documents).where(documents.c.owner == owner).order_by(documents.c.created.desc())
        async with self._database.connect() as connection:
            return [Document(**row) for row in (await connection.execute(wanted)).mappings()]

    async def older_than(self, before: float) -> list[Document]:
        """Return everybody's documents that came before a time, for `service.retention`."""
        async with self._database.connect() as connection:
            found = await connection.execute(select(documents).where(documents.c.created < before))
            return [Document(**row) for row in found.mappings()]

    async def get(self, document_id: str, owner: str) -> Document | None:
        """Return a document of a person."""
        wanted = select(documents).where(documents.c.id == document_id, documents.c.owner == owner)
        async with self._database.connect() as connection:
            row = (await connection.execute(wanted)).mappings().first()
        return Document(**row) if row else None

    async def index_again(self, chosen: Sequence[Document]) -> None:
        """Have documents indexed anew."""
        ids = [document.id for document in chosen]
        again = update(documents).where(documents.c.id.in_(ids))
        async with self._database.begin() as connection:
            await connection.execute(again.values(status="queued", error=None, attempts=0, updated=time.time()))
        self._ask()

    async def delete(self, document: Document) -> None:
        """Delete a document: its passages, its file and what is on record of it."""
        await self._remove(document)
        await asyncio.to_thread(shutil.rmtree, self.path(document).parent, ignore_errors=True)
        async with self._database.begin() as connection:
            await connection.execute(delete(documents).where(documents.c.id == document.id))
        # It may have been indexed meanwhile. What is indexed from now on is removed by whoever does it.
        await self._remove(document)

    async def _remove(self, document: Document) -> None:
        base = await self._knowledge()
        await base.remove(str(self.path(document)), collection=document.collection)

    async def settled(self) -> None:
        """Wait until all that is to be indexed is, or has failed, or is under way in another process."""
        await self._idle.wait()

    async def passages(self, of: Sequence[Document]) -> dict[str, int]:
        """Return how many passages documents have, by id. One without any is left out."""
        base = await self._knowledge()
        ids = {str(self.path(document)): document.id for document in of}
        counts = await base.passages([(document.collection, str(self.path(document))) for document in of])
        return {ids[source]: count for source, count in counts.items()}

    def path(self, document: Document) -> Path:
        """Return where the file of a document is, which is its source's key as well."""
        return (self._folder / folder_name(document.owner) / document.id / document.name).absolute()

    def _ask(self) -> None:
        self._idle.clear()
        self._asked.set()

    async def _index_all(self) -> None:
        while True:
            self._asked.clear()
            try:
                while await self._index_waiting():
                    continue
                if not self._asked.is_set():
                    self._idle.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOKED_EVERY):
                        await self._asked.wait()
            except Exception as error:
                if isinstance(error, (*database_errors(), InUse)):
                    log.warning("documents cannot be indexed now: %s", type(error).__name__)
                else:
                    log.exception("it is not known what became of a document")
                await asyncio.sleep(TRIED_EVERY)

    async def _index_waiting(self) -> bool:
        """Index what waits, and return whether anything did."""
        ended = and_(documents.c.status == "indexing", documents.c.updated < time.time() - LEASE)
        waits = or_(documents.c.status == "queued", ended)
        async with self._database.connect() as connection:
            found = await connection.execute(select(documents).where(waits).order_by(documents.c.updated))
            waiting = [Document(**row) for row in found.mappings()]
        indexed = False
        for document in waiting:
            if document.attempts >= MOST_ATTEMPTS:
                await self._change(document, waits, status="failed", error=DEADLY, attempts=0)
                continue
            # A process on another machine may have its file.
            if await asyncio.to_thread(self.path(document).exists) and await self._take(document, waits):
                await self._index(document)
                indexed = True
        return indexed

    async def _take(self, document: Document, waits: ColumnElement[bool]) -> bool:
        """Take a document, and return whether no other process was faster."""
        values = {"status": "indexing", "error": None, "embedded": None, "to_embed": None}
        return await self._change(document, waits, attempts=documents.c.attempts + 1, **values)

    async def _index(self, document: Document) -> None:
        """Index a document that is taken.

        Raises:
            InUse: another process has the knowledge base. The document is left to it.
        """
        try:
            error = await self._read(document)
        except InUse as in_use:
            await self._note(document, status="queued", error=str(in_use), attempts=0)
            raise
        except asyncio.CancelledError:
            await self._note(document, status="queued", attempts=0)
            raise
        status = "failed" if error else "indexed"
        if await self._note(document, status=status, error=error, attempts=0):
            metrics.DOCUMENTS.labels(status).inc()
        elif await self.get(document.id, document.owner) is None:
            await self._remove(document)
        if not error:
            await (await self._knowledge()).warm()

    async def _read(self, document: Document) -> str | None:
        """Bring a document into the knowledge base, and return why that could not be."""
        try:
            base = await self._knowledge()
            async with self._noting(document) as embedding:
                report = await base.index(
                    self.path(document), collection=document.collection, owner=document.owner, embedding=embedding
                )
        except InUse:
            raise
        except (SelfhelpError, OSError) as error:
            return str(error)
        except Exception:
            log.exception("a document could not be indexed")
            return UNKNOWN
        return next((reason for _, reason in (*report.failed, *report.skipped)), None)

    @asynccontextmanager
    async def _noting(self, document: Document) -> AsyncIterator[Progress]:
        """Give what is told how many passages are embedded, and note it every second for whoever asks any process."""
        latest: deque[tuple[int, int]] = deque(maxlen=1)

        async def note() -> None:
            while True:
                await asyncio.sleep(NOTED_EVERY)
                values = dict(zip(("embedded", "to_embed"), latest.pop(), strict=True)) if latest else {}
                with suppress(*database_errors()):  # if it stays away, the next change of status says so
                    await self._note(document, **values)

        noting = asyncio.create_task(note())
        try:
            yield lambda embedded, to_embed: latest.append((embedded, to_embed))
        finally:
            noting.cancel()
            await asyncio.wait([noting])

    async def _note(self, document: Document, **values: Any) -> bool:
        """Note something of a document unless it was deleted or asked for anew, and return whether it was noted."""
        return await self._change(document, documents.c.status == "indexing", **values)

    async def _change(self, document: Document, where: ColumnElement[bool], **values: Any) -> bool:
        """Change a document's row if it is as it was found, and return whether it was."""
        own = update(documents).where(documents.c.id == document.id, where)
        async with self._database.begin() as connection:
            return bool((await connection.execute(own.values(**values, updated=time.time()))).rowcount)
