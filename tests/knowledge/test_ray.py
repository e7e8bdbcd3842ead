"""Indexing on Ray: a corpus of 20,000 passages, read and embedded by two workers."""

import os
from functools import partial
from pathlib import Path

import pytest

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.documents import Found
from agent.knowledge.embedders import Embedder
from agent.knowledge.engines import EngineFailed, open_engine
from agent.knowledge.sources.folder import Folder
from tests.support.documents import Hashing, assert_consistent, names, write

SECTIONS, DOCUMENTS = 500, 40


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    def section(document: int, number: int) -> str:
        return f"## Rule {number}\n\nRule {number} of book {document}: item{document * SECTIONS + number} is allowed."

    return write(
        tmp_path / "corpus",
        {f"book {n}.md": "\n\n".join(section(n, number) for number in range(SECTIONS)) for n in range(DOCUMENTS)}
        | {"broken.pdf": b"%PDF-1.7 and nothing more"},
    )


class Deadly(Folder):
    """Has a document that kills whoever reads it."""

    async def find(self, report):
        yield Found("deadly.pdf", "deadly.pdf", "pdf", None, partial(os._exit, 1))


async def test_two_workers_index_twenty_thousand_passages(tmp_path, corpus) -> None:
    base = await KnowledgeBase.open(tmp_path / "index", Embedder("hashing", 16, Hashing(16), in_process=True))
    async with open_engine("ray", 2) as engine:
        report = await base.index(corpus, engine=engine)
        again = await base.index(corpus, engine=engine)
        # Ray follows `uv run` elsewhere, with a copy of the working directory, unless it is told not to.
        assert await engine.run(lambda: str(Path.cwd())) == str(Path.cwd())
        with pytest.raises(EngineFailed, match="a worker died"):
            await base.index(Deadly(corpus), engine=engine)
    assert len(report.added) == DOCUMENTS
    assert report.failed == [("broken.pdf", "it is no PDF, or a damaged one: print it to a PDF again")]
    assert len(again.unchanged) == DOCUMENTS
    [indexed] = await base.sources()
    assert indexed.chunks == SECTIONS * DOCUMENTS
    for number in (0, 7_777, 19_999):
        assert names(await base.search(f"item{number}", k=1)) == [f"book {number // SECTIONS}.md"]
    assert_consistent(base)
    await base.close()
