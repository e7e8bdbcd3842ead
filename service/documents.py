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
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol, Self
from urllib.parse import quote

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.errors import SelfhelpError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.formats import kind_of
from agent.knowledge.ingest import Progress
from service import metrics
from service.records.database import database_errors
from service.records.tables import documents

Status = Literal["queued", "indexing", "indexed", "failed"]

UPLOADS = "uploads"
PIECE = 1 << 20
LONGEST_NAME = 200
# Seconds between notes of how far a document is, and between attempts while the database is away.
NOTED_EVERY = 1.0
TRIED_EVERY = 2.0
UNKNOWN = "it could not be indexed: the log of the service says why"

_UNDER_WAY = ("queued", "indexing")

log = logging.getLogger(__name__)


class Refused(SelfhelpError):
    """A file that is no document."""


class Upload(Protocol):
    """A file that is being sent."""

    filename: str | None

    async def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        ...


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
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        async with self._database.connect() as connection:
            # What a process that ended had not indexed yet.
            left = await connection.scalars(select(documents.c.id).where(documents.c.status.in_(_UNDER_WAY)))
            for document_id in left:
                self._queue.put_nowait(document_id)
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
        name = safe_name(upload.filename or "")
        kind = kind_of(name)
        if kind is None:
            raise Refused(
                f"{name or 'a file without a name'} is no document that can be read: send Markdown, HTML, "
                "PDF, DOCX, text, code, CSV or JSON"
            )
        now = time.time()
        document = Document(uuid.uuid4().hex, owner, collection, name, kind, 0, "queued", None, now, now)
        path = self.path(document)
        try:
            size = await _saved(upload, path)
            async with self._database.begin() as connection:
                values = {**vars(document), "bytes": size}
                await connection.execute(insert(documents).values(**values))
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, path.parent, ignore_errors=True)
            raise
        self._queue.put_nowait(document.id)
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
        for document in chosen:
            await self._note(document.id, status="queued", error=None)
            self._queue.put_nowait(document.id)

    async def delete(self, document: Document) -> None:
        """Delete a document: its passages, its file and what is on record of it."""
        base = await self._knowledge()
        await base.remove(str(self.path(document)), collection=document.collection)
        await asyncio.to_thread(shutil.rmtree, self.path(document).parent, ignore_errors=True)
        async with self._database.begin() as connection:
            await connection.execute(delete(documents).where(documents.c.id == document.id))

    async def settled(self) -> None:
        """Wait until all that was to be indexed here is, or has failed."""
        await self._queue.join()

    async def passages(self) -> dict[str, int]:
        """Return how many passages each source has, by its key."""
        base = await self._knowledge()
        return {each.source: each.chunks for each in await base.sources()}

    def path(self, document: Document) -> Path:
        """Return where the file of a document is, which is its source's key as well."""
        return (self._folder / quote(document.owner, safe="") / document.id / document.name).absolute()

    async def _index_all(self) -> None:
        while True:
            document_id = await self._queue.get()
            if not await self._tried(document_id):
                await asyncio.sleep(TRIED_EVERY)
                self._queue.put_nowait(document_id)
            self._queue.task_done()

    async def _tried(self, document_id: str) -> bool:
        """Index a document if it is still there, and return whether the database let that be noted."""
        try:
            async with self._database.connect() as connection:
                found = await connection.execute(select(documents).where(documents.c.id == document_id))
            if row := found.mappings().first():
                await self._index(Document(**row))
        except database_errors() as error:
            log.warning("documents cannot be indexed now: %s", type(error).__name__)
            return False
        return True

    async def _index(self, document: Document) -> None:
        await self._note(document.id, status="indexing", embedded=None, to_embed=None)
        error = await self._read(document)
        if error:
            await self._note(document.id, status="failed", error=error)
            return
        base = await self._knowledge()
        if await self._note(document.id, status="indexed", error=None):
            await base.warm()
        else:
            # It was deleted while it was indexed.
            await base.remove(str(self.path(document)), collection=document.collection)

    async def _read(self, document: Document) -> str | None:
        """Bring a document into the knowledge base, and return why that could not be."""
        try:
            base = await self._knowledge()
            async with self._noting(document) as embedding:
                report = await base.index(
                    self.path(document), collection=document.collection, owner=document.owner, embedding=embedding
                )
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
                if latest:
                    embedded, to_embed = latest.pop()
                    with suppress(*database_errors()):  # if it stays away, the next change of status says so
                        await self._change(document.id, embedded=embedded, to_embed=to_embed)

        noting = asyncio.create_task(note())
        try:
            yield lambda embedded, to_embed: latest.append((embedded, to_embed))
        finally:
            noting.cancel()
            await asyncio.wait([noting])

    async def _note(self, document_id: str, **values: Any) -> bool:
        if values["status"] in ("indexed", "failed"):
            metrics.DOCUMENTS.labels(values["status"]).inc()
        return await self._change(document_id, **values, updated=time.time())

    async def _change(self, document_id: str, **values: Any) -> bool:
        change = update(documents).where(documents.c.id == document_id).values(**values)
        async with self._database.begin() as connection:
            return bool((await connection.execute(change)).rowcount)


def safe_name(given: str) -> str:
    """Return a file name without folders, control characters or leading dots."""
    name = PurePosixPath(given.replace("\\", "/")).name
    kept = "".join(letter for letter in name if letter.isprintable()).lstrip(".").strip()
    stem, dot, ending = kept.rpartition(".")
    return f"{stem[:LONGEST_NAME]}{dot}{ending[:20]}"


async def _saved(upload: Upload, path: Path) -> int:
    """Write a file piece by piece, and return its size in bytes."""
    await asyncio.to_thread(path.parent.mkdir, parents=True, mode=0o700)
    size = 0
    file = await asyncio.to_thread(path.open, "xb")
    try:
        while piece := await upload.read(PIECE):
            size += await asyncio.to_thread(file.write, piece)
    finally:
        await asyncio.to_thread(file.close)
    return size
