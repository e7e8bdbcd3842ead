"""People's own documents, over a real database and a real knowledge base."""

from __future__ import annotations

import io

import pytest

from agent.knowledge.base import KnowledgeBase
from agent.settings import Settings
from service.documents import UNKNOWN, Documents
from service.records.database import open_database


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


async def test_a_document_that_fails_in_a_way_that_nobody_foresaw_keeps_no_other_from_its_turn(tmp_path, base, caplog):
    failures = [RuntimeError("the secret of /srv/secret")]

    async def knowledge():
        if failures:
            raise failures.pop()
        return base

    async with (
        open_database(Settings(data_dir=tmp_path)) as database,
        Documents(database, tmp_path, knowledge) as documents,
    ):
        for name in ("first.md", "second.md"):
            await documents.take(Upload(name), "ann", "default")
        await documents.settled()
        second, first = await documents.all("ann")
    assert (first.status, first.error) == ("failed", UNKNOWN)
    assert (second.status, second.error) == ("indexed", None)
    assert "/srv/secret" in caplog.text
