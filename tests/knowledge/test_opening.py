"""Opening: what a directory may hold, and which embedder may meet it."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import SelfhelpError
from agent.knowledge import opening
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from agent.knowledge.filters import Filter
from agent.knowledge.opening import IndexUnusable
from agent.knowledge.writer import EmbedderChanged
from tests.support.documents import Away, assert_consistent, hashing, names, write


async def test_at_a_relative_path_outlives_a_change_of_directory(docs, monkeypatch) -> None:
    base = await KnowledgeBase.open(Path("index"), None)
    await base.index(docs)
    monkeypatch.chdir("/")
    assert names(await base.search("Utrecht")) == ["stores.txt"]
    await base.close()


async def test_finds_what_was_indexed_before(base, docs, tmp_path, embedder) -> None:
    await base.index(docs)
    await base.close()
    again = await KnowledgeBase.open(tmp_path / "index", embedder)
    assert names(await again.search("Utrecht"))[0] == "stores.txt"
    assert len((await again.index(docs)).unchanged) == 3
    await again.close()


async def test_without_an_embedder_searches_by_words_and_says_so_once(tmp_path, docs, caplog) -> None:
    with caplog.at_level(logging.INFO):
        base = await KnowledgeBase.open(tmp_path / "index", None)
        await base.index(docs)
        assert names(await base.search("Utrecht store")) == ["stores.txt"]
        assert await base.search("kayak") == []
    assert [record.message for record in caplog.records if record.name == "agent.knowledge.base"] == [
        "there is no embedder: documents are searched by their words only, not by meaning"
    ]
    assert not (tmp_path / "index" / "chroma").exists()
    await base.close()


@pytest.mark.parametrize(
    "other", [hashing(name="other"), hashing(32, dimension=32), None], ids=["name", "length", "none"]
)
async def test_with_another_embedder_is_refused_until_rebuilt(base, docs, tmp_path, other) -> None:
    await base.index(docs)
    await base.close()
    with pytest.raises(EmbedderChanged, match=r"hashing.*run selfhelp index --rebuild"):
        await KnowledgeBase.open(tmp_path / "index", other)
    steps: list[tuple[int, int]] = []
    rebuilt = await KnowledgeBase.open(
        tmp_path / "index", other, rebuild=True, progress=lambda done, total: steps.append((done, total))
    )
    assert steps == ([(4, 4), (4, 4)] if other else [])
    assert names(await rebuilt.search("Utrecht"))[0] == "stores.txt"
    assert len((await rebuilt.index(docs)).unchanged) == 3
    if other:
        assert_consistent(rebuilt)
    await rebuilt.close()
    await (await KnowledgeBase.open(tmp_path / "index", other)).close()


async def test_a_rebuild_takes_every_collection(base, docs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(opening, "REBUILD_BATCH", 3)
    await base.index(docs)
    await base.index(docs, collection="other")
    await base.close()
    rebuilt = await KnowledgeBase.open(tmp_path / "index", hashing(16, "new"), rebuild=True)
    assert_consistent(rebuilt)
    for collection in ("default", "other"):
        vector = await hashing(16).aembed_query("x")
        assert len(rebuilt._parts.index.search(vector, 100, Filter(collection=collection))) == 4
    await rebuilt.close()


async def test_after_a_rebuild_that_broke_off_is_refused(base, docs, tmp_path, embedder) -> None:
    await base.index(docs)
    await base.close()
    with pytest.raises(SelfhelpError, match="away"):
        await KnowledgeBase.open(tmp_path / "index", Embedder("hashing", None, Away()), rebuild=True)
    with pytest.raises(EmbedderChanged, match="broke off: run selfhelp index --rebuild"):
        await KnowledgeBase.open(tmp_path / "index", embedder)
    rebuilt = await KnowledgeBase.open(tmp_path / "index", embedder, rebuild=True)
    assert_consistent(rebuilt)
    await rebuilt.close()


async def test_an_empty_index_takes_any_embedder(tmp_path, docs) -> None:
    for embedder in (hashing(), None, hashing(16, "other")):
        await (await KnowledgeBase.open(tmp_path / "index", embedder)).close()
    base = await KnowledgeBase.open(tmp_path / "index", hashing(8, "third"))
    await base.index(docs)
    assert_consistent(base)
    await base.close()


async def test_vectors_of_another_length_are_refused(base, docs, embedder) -> None:
    await base.index(docs)
    embedder.embeddings.length = 32
    with pytest.raises(EmbedderChanged, match="vectors of 64 numbers, and the embedder makes some of 32"):
        await base.search("Utrecht")
    write(docs, {"new.md": "# New"})
    with pytest.raises(EmbedderChanged, match="rebuild"):
        await base.index(docs)


async def test_of_what_is_no_index_says_so(tmp_path) -> None:
    write(tmp_path, {"index/knowledge.sqlite": b"not a database" * 100, "file": b""})
    for directory in (tmp_path / "index", tmp_path / "file"):
        with pytest.raises(IndexUnusable, match=r"cannot be opened.*index the documents again"):
            await KnowledgeBase.open(directory, None)


async def test_keeps_text_and_offsets_in_sqlite(base, docs, tmp_path) -> None:
    await base.index(docs)
    with closing(sqlite3.connect(tmp_path / "index" / "knowledge.sqlite")) as db:
        [(start, end, line)] = db.execute(
            "SELECT start_offset, end_offset, first_line FROM chunks WHERE heading = 'Fee'"
        ).fetchall()
    assert (docs / "returns.md").read_text()[start:end] == "## Fee\n\nThe return label costs 4.90 EUR."
    assert line == 5
