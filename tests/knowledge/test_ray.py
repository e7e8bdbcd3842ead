"""Indexing on Ray: a corpus of 20,000 passages, read and embedded by two workers."""

from pathlib import Path

import pytest

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from agent.knowledge.engines import open_engine
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


async def test_two_workers_index_twenty_thousand_passages(tmp_path, corpus) -> None:
    base = await KnowledgeBase.open(tmp_path / "index", Embedder("hashing", 16, Hashing(16), in_process=True))
    async with open_engine("ray", 2) as engine:
        report = await base.index(corpus, engine=engine)
        again = await base.index(corpus, engine=engine)
    assert (len(report.added), [name for name, _ in report.failed]) == (DOCUMENTS, ["broken.pdf"])
    assert len(again.unchanged) == DOCUMENTS
    [indexed] = await base.sources()
    assert indexed.chunks == SECTIONS * DOCUMENTS
    for number in (0, 7_777, 19_999):
        assert names(await base.search(f"item{number}", k=1)) == [f"book {number // SECTIONS}.md"]
    assert_consistent(base)
    await base.close()
