"""People's own documents, over a real database and a real knowledge base."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import update

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.lock import InUse
from agent.settings import Settings
from service import documents as documents_module
from service.documents import DEADLY, UNKNOWN, Documents
from service.records.database import open_database
from service.records.tables import documents as table

ROOT = Path(__file__).parents[2]


class Upload:
    """A file that is being sent."""

    def __init__(self, filename):
        self.filename = filename
        self._content = io.BytesIO(b"# Otters\n\nOtters hold hands.\n")

    async def read(self, size):
        return self._content.read(size)


@pytest.fixture
async def base(tmp_path):
    base = await KnowledgeBase.open(tmp_path / "knowledge", None)
    yield base
    await base.close()


@pytest.fixture
async def database(tmp_path):
    async with open_database(Settings(data_dir=tmp_path)) as database:
        yield database


@pytest.fixture
def often(monkeypatch):
    for name in ("LOOKED_EVERY", "TRIED_EVERY", "NOTED_EVERY"):
        monkeypatch.setattr(documents_module, name, 0.01)


class Held:
    """A knowledge base that another process or thread holds up, until it is let go."""

    def __init__(self, base):
        self._base = base
        self.reached, self.free = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._base, name)

    async def index(self, *arguments, **options):
        self.reached.set()
        await self.free.wait()
        return await self._base.index(*arguments, **options)

    async def open(self):
        return self


async def never():
    raise AssertionError("nothing is to be indexed here")


async def status(documents):
    return [(document.status, document.error) for document in await documents.all("ann")]


async def test_a_document_that_fails_in_a_way_that_nobody_foresaw_keeps_no_other_from_its_turn(
    database, tmp_path, base, caplog
):
    failures = [RuntimeError("the secret of /srv/secret")]

    async def knowledge():
        if failures:
            raise failures.pop()
        return base

    async with Documents(database, tmp_path, knowledge) as documents:
        for name in ("first.md", "second.md"):
            await documents.take(Upload(name), "ann", "default")
        await documents.settled()
        second, first = await documents.all("ann")
    assert (first.status, first.error) == ("failed", UNKNOWN)
    assert (second.status, second.error) == ("indexed", None)
    assert "/srv/secret" in caplog.text


async def test_what_goes_wrong_after_a_document_was_deleted_keeps_no_other_from_its_turn(
    database, tmp_path, base, often
):
    class Failing(Held):
        async def remove(self, *_, **__):
            if self.free.is_set():
                self.remove = self._base.remove
                raise RuntimeError("the vector database is away")

    held = Failing(base)
    async with Documents(database, tmp_path, held.open) as documents:
        first = await documents.take(Upload("first.md"), "ann", "default")
        await held.reached.wait()
        await documents.delete(first)
        held.free.set()
        await documents.take(Upload("second.md"), "ann", "default")
        await documents.settled()
        assert await status(documents) == [("indexed", None)]


async def test_what_one_process_indexes_another_leaves_alone_until_that_has_ended(
    database, tmp_path, base, often, monkeypatch
):
    held = Held(base)
    async with Documents(database, tmp_path, held.open) as here:
        await here.take(Upload("otters.md"), "ann", "default")
        await held.reached.wait()
        async with Documents(database, tmp_path, never) as there:
            await there.settled()
        assert await status(here) == [("indexing", None)]
        held.free.set()
        await here.settled()
        assert await status(here) == [("indexed", None)]
    # As a process leaves it that was killed.
    async with database.begin() as connection:
        await connection.execute(update(table).values(status="indexing"))
    async with Documents(database, tmp_path, Held(base).open) as there:
        await there.settled()
        assert await status(there) == [("indexing", None)]
    monkeypatch.setattr(documents_module, "LEASE", 0.0)
    free = Held(base)
    free.free.set()
    async with Documents(database, tmp_path, free.open) as there:
        await free.reached.wait()
        await there.settled()
        assert await status(there) == [("indexed", None)]


async def test_what_a_process_had_not_indexed_when_it_ended_is_the_next_ones_at_once(database, tmp_path, base):
    held = Held(base)
    async with Documents(database, tmp_path, held.open) as first:
        await first.take(Upload("otters.md"), "ann", "default")
        await held.reached.wait()
    assert await status(first) == [("queued", None)]
    async with Documents(database, tmp_path / "of another machine", never) as elsewhere:
        await elsewhere.settled()
    assert await status(first) == [("queued", None)]
    held.free.set()
    async with Documents(database, tmp_path, held.open) as second:
        await second.settled()
        assert await status(second) == [("indexed", None)]


KILLED_BY_A_DOCUMENT = """
import asyncio, os, signal, sys
from pathlib import Path
from agent.settings import Settings
from service import documents
from service.records.database import open_database

class Deadly:
    async def index(self, *_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

async def knowledge():
    return Deadly()

async def serve(folder):
    async with open_database(Settings(data_dir=folder)) as database:
        async with documents.Documents(database, folder, knowledge) as waiting:
            await waiting.settled()

documents.LEASE = 0.0
asyncio.run(serve(Path(sys.argv[1])))
"""


async def test_a_document_that_ends_every_process_is_given_up(database, tmp_path):
    async def serve():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-c", KILLED_BY_A_DOCUMENT, str(tmp_path), cwd=ROOT
        )
        return await process.wait()

    documents = Documents(database, tmp_path, never)
    document = await documents.take(Upload("otters.md"), "ann", "default")
    assert [await serve() for _ in range(4)] == [*[-signal.SIGKILL] * 3, 0]
    assert await status(documents) == [("failed", DEADLY)]
    await documents.index_again([document])
    assert await serve() == -signal.SIGKILL, "who asks for it has it tried again"


async def test_a_document_is_left_to_the_process_that_has_the_knowledge_base(database, tmp_path, base, monkeypatch):
    monkeypatch.setattr(documents_module, "TRIED_EVERY", 3600)
    reason = "in use by another process"

    async def in_use():
        raise InUse(reason)

    async def opened():
        return base

    async with Documents(database, tmp_path, in_use) as here:
        await here.take(Upload("otters.md"), "ann", "default")
        async with asyncio.timeout(60):
            while await status(here) != [("queued", reason)]:
                await asyncio.sleep(0)
        async with Documents(database, tmp_path, opened) as there:
            await there.settled()
        assert await status(here) == [("indexed", None)]


async def test_what_is_to_be_indexed_again_while_it_is_indexed_is_indexed_again(database, tmp_path, base):
    held = Held(base)
    async with Documents(database, tmp_path, held.open) as documents:
        document = await documents.take(Upload("otters.md"), "ann", "default")
        await held.reached.wait()
        await documents.index_again([document])
        held.reached.clear()
        held.free.set()
        await held.reached.wait()
        await documents.settled()
        assert await status(documents) == [("indexed", None)]


async def test_a_document_that_is_indexed_while_it_is_deleted_is_found_no_more(database, tmp_path, base):
    class Slow(Held):
        async def remove(self, *arguments, **options):
            removed = await self._base.remove(*arguments, **options)
            if not self.free.is_set():
                self.free.set()
                await documents.settled()
            return removed

    slow = Slow(base)
    async with Documents(database, tmp_path, slow.open) as documents:
        document = await documents.take(Upload("otters.md"), "ann", "default")
        await slow.reached.wait()
        await documents.delete(document)
        assert await base.sources() == []
        assert await status(documents) == []


@pytest.mark.parametrize("owner", ["ann", "ü" * 200, "..", "."])
@pytest.mark.parametrize("stem", ["otters", "獺" * 90, "ü" * 150, "o" * 300])
async def test_long_names_are_kept_as_far_as_the_disk_takes_them(database, tmp_path, base, owner, stem):
    async def opened():
        return base

    async with Documents(database, tmp_path, opened) as documents:
        document = await documents.take(Upload(f"{stem}.md"), owner, "default")
        await documents.settled()
        [found] = await documents.all(owner)
    assert (found.status, found.kind) == ("indexed", "markdown")
    assert (found.name[:6], found.name[-3:]) == (stem[:6], ".md")
    uploads = (tmp_path / "uploads").resolve()
    assert documents.path(document).resolve().parent.parent.parent == uploads
    assert len(list(uploads.rglob("*.md"))) == 1
