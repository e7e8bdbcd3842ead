"""Indexing: what becomes of documents that come, change and go."""

import asyncio
import os
import sqlite3
import threading
from functools import partial
from typing import Any

import pytest

from agent.errors import SelfhelpError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.documents import Found, IndexReport, NoDocuments
from agent.knowledge.embedders import Embedder, EmbeddingFailed
from agent.knowledge.engines import EngineFailed, open_engine
from agent.knowledge.filters import Filter
from agent.knowledge.sources.folder import Folder
from agent.knowledge.store import Indexed
from agent.knowledge.writer import VectorsFailed
from tests.support.documents import Away, assert_consistent, hashing, names, write


async def test_reports_every_document_and_progress(base, docs) -> None:
    steps: list[tuple[int, int]] = []
    report = await base.index(docs, progress=lambda done, total: steps.append((done, total)))
    assert report == IndexReport(added=["guides/tent.md", "returns.md", "stores.txt"])
    assert steps[-1] == (3, 3)
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert_consistent(base)


async def test_says_how_many_passages_are_embedded_of_those_that_need_it(base, docs, embedder) -> None:
    told: list[tuple[int, int]] = []
    await base.index(docs, embedding=lambda done, total: told.append((done, total)))
    passages = len(embedder.embeddings.embedded)
    assert (told[0][0], told[-1]) == (0, (passages, passages))
    assert told == sorted(told)
    told.clear()
    write(docs, {"returns.md": "# Returns\n\nNever.\n"})
    await base.index(docs, embedding=lambda done, total: told.append((done, total)))
    assert told == [(0, 1), (1, 1)]


async def test_leaves_unchanged_documents_alone(base, docs, embedder) -> None:
    await base.index(docs)
    embedder.embeddings.embedded.clear()
    report = await base.index(docs)
    assert report == IndexReport(unchanged=["guides/tent.md", "returns.md", "stores.txt"])
    assert embedder.embeddings.embedded == []


async def test_replaces_a_changed_document_and_embeds_only_what_is_new_in_it(base, docs, embedder) -> None:
    await base.index(docs)
    embedder.embeddings.embedded.clear()
    write(docs, {"returns.md": "# Returns\n\nNew first words.\n\n## Fee\n\nThe return label costs 4.90 EUR."})
    assert (await base.index(docs)).changed == ["returns.md"]
    assert embedder.embeddings.embedded == ["Returns\n# Returns\n\nNew first words."]
    texts = [passage.text for passage in await base.search("returns general words", k=50)]
    assert "# Returns\n\nNew first words." in texts
    assert not any("General words." in text for text in texts)
    assert_consistent(base)


async def test_a_removed_document_disappears(base, docs) -> None:
    await base.index(docs)
    (docs / "stores.txt").unlink()
    assert (await base.index(docs)).removed == ["stores.txt"]
    assert "stores.txt" not in names(await base.search("Utrecht", k=50))
    assert_consistent(base)


async def test_an_emptied_document_has_no_passages(base, docs) -> None:
    await base.index(docs)
    write(docs, {"stores.txt": " \n"})
    assert (await base.index(docs)).changed == ["stores.txt"]
    assert "stores.txt" not in names(await base.search("Utrecht", k=50))
    assert_consistent(base)


async def test_what_stays_in_a_changed_document_keeps_its_new_place(base, docs) -> None:
    await base.index(docs)
    write(docs, {"returns.md": "# Returns\n\nNew\n\nfirst\n\nwords.\n\n## Fee\n\nThe return label costs 4.90 EUR."})
    await base.index(docs)
    [fee, *_] = await base.search("return label costs")
    assert (fee.first_line, fee.last_line) == (9, 11)


async def test_sources_stand_side_by_side_and_each_mirrors_its_own_documents(base, docs, tmp_path) -> None:
    other = write(tmp_path / "other", {"stores.txt": "Stores\n======\n\nThe store in Leiden is open on Sunday."})
    await base.index(docs)
    await base.index(other)
    assert {passage.uri for passage in await base.search("store open on Sunday", k=2)} == {
        str(docs / "stores.txt"),
        str(other / "stores.txt"),
    }
    (docs / "stores.txt").unlink()
    await base.index(docs)
    assert [passage.uri for passage in await base.search("store Sunday")][:1] == [str(other / "stores.txt")]
    assert_consistent(base)


async def test_says_what_is_indexed_of_each_source(base, docs, tmp_path) -> None:
    other = write(tmp_path / "other", {"a.md": "# A\n\nWords."})
    await base.index(docs)
    await base.index(other, collection="staff", owner="ann")
    assert await base.sources() == [
        Indexed(str(docs), "default", None, 3, 4),
        Indexed(str(other), "staff", "ann", 1, 1),
    ]


async def test_says_how_many_passages_some_sources_have(base, docs, tmp_path) -> None:
    other = write(tmp_path / "other", {"a.md": "# A\n\nWords."})
    await base.index(docs)
    await base.index(other, collection="staff", owner="ann")
    assert await base.passages([("default", str(docs)), ("default", str(other))]) == {str(docs): 4}
    assert await base.passages([("staff", str(other)), ("staff", "none")]) == {str(other): 1}


async def test_says_when_it_cannot_be_read(base, docs, tmp_path) -> None:
    await base.index(docs)
    await base.check()
    (tmp_path / "index" / "knowledge.sqlite").rename(tmp_path / "elsewhere")
    with pytest.raises(sqlite3.Error):
        await base.check()


async def test_a_source_that_is_removed_leaves_nothing_behind(base, docs, tmp_path) -> None:
    other = write(tmp_path / "other", {"a.md": "# A\n\nUtrecht."})
    await base.index(docs)
    await base.index(other)
    assert await base.remove(str(docs)) == ["guides/tent.md", "returns.md", "stores.txt"]
    assert names(await base.search("Utrecht", k=50)) == ["a.md"]
    assert await base.remove(str(docs)) == []
    assert_consistent(base)


async def test_another_owner_is_a_change_of_the_document_that_embeds_nothing(base, docs, embedder) -> None:
    await base.index(docs)
    embedder.embeddings.embedded.clear()
    assert len((await base.index(docs, owner="ann")).changed) == 3
    assert embedder.embeddings.embedded == []
    assert await base.search("Utrecht") == []
    assert names(await base.search("Utrecht", where=Filter(owner="ann")))[0] == "stores.txt"


async def test_what_cannot_be_read_is_named_and_the_rest_goes_on(base, docs) -> None:
    write(docs, {"broken.md": b"\x89PNG\r\n\0\xff", "a-broken.txt": b"\0\xfe"})
    report = await base.index(docs)
    assert len(report.added) == 3
    assert [name for name, _ in report.failed] == ["a-broken.txt", "broken.md"]
    assert all("UTF-8" in reason for _, reason in report.failed)


async def test_what_can_no_longer_be_read_is_kept_as_it_was(base, docs) -> None:
    await base.index(docs)
    write(docs, {"stores.txt": b"\0\xfe"})
    report = await base.index(docs)
    assert (report.removed, [name for name, _ in report.failed]) == ([], ["stores.txt"])
    assert names(await base.search("Utrecht"))[0] == "stores.txt"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_reads_the_usual_encodings(base, tmp_path, encoding) -> None:
    await base.index(write(tmp_path / "docs", {"notes.txt": "Größe 42 für 10 €".encode(encoding)}))
    [passage] = await base.search("Größe")
    assert passage.text == "Größe 42 für 10 €"


@pytest.mark.parametrize(
    ("files", "said"), [(None, "there is no file or folder"), ({}, "no document"), ({"a.png": b""}, ".md")]
)
async def test_a_missing_or_empty_folder_is_an_error_and_wipes_nothing(base, docs, files, said) -> None:
    await base.index(docs)
    other = docs.with_name("other")
    if files is not None:
        other.mkdir()
        write(other, files)
    with pytest.raises(NoDocuments, match=said):
        await base.index(other)
    assert names(await base.search("Utrecht"))[0] == "stores.txt"


async def test_an_emptied_or_missing_source_wipes_nothing_until_that_is_asked_for(base, docs) -> None:
    await base.index(docs)
    away = docs.rename(docs.with_name("away"))
    with pytest.raises(NoDocuments, match=r"docs.*before is kept; selfhelp index --prune removes"):
        await base.index(docs)
    assert names(await base.search("Utrecht"))[0] == "stores.txt"
    assert len((await base.index(docs, prune=True)).removed) == 3
    assert await base.search("Utrecht") == []
    away.rename(docs)
    assert len((await base.index(docs)).added) == 3


async def test_a_source_that_was_not_looked_through_to_its_end_loses_nothing(base, docs) -> None:
    class Broken(Folder):
        async def find(self, report):
            async for found in super().find(report):
                if found.name == "returns.md":
                    yield found
            report.incomplete = "the limit was reached"

    await base.index(Broken(docs))
    await base.index(docs)
    report = await base.index(Broken(docs))
    assert (report.unchanged, report.removed, report.incomplete) == (["returns.md"], [], "the limit was reached")
    assert names(await base.search("Utrecht"))[0] == "stores.txt"


async def test_an_embedder_that_fails_ends_the_run_with_its_reason_and_keeps_what_was_there(
    base, docs, embedder
) -> None:
    await base.index(docs)
    write(docs, {"new.md": "# New\n\nWords."})
    base._embedder = Embedder("hashing", None, Away())
    with pytest.raises(SelfhelpError, match="away"):
        await base.index(docs)
    base._embedder = embedder
    assert (await base.index(docs)).added == ["new.md"]
    assert_consistent(base)


async def test_vectors_that_are_no_numbers_are_refused(base, docs) -> None:
    class Wrong(Away):
        def embed_documents(self, texts):
            return [[float("nan")] * 64 for _ in texts]

    base._embedder = Embedder("hashing", None, Wrong())
    with pytest.raises(EmbeddingFailed, match="no vector for each"):
        await base.index(docs)


@pytest.mark.parametrize("engine", ["threads", "processes"])
async def test_every_engine_gives_the_same_index(tmp_path, docs, engine) -> None:
    write(docs, {f"page {n}.md": f"# Page {n}\n\nWords of page {n}." for n in range(30)})
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    async with open_engine(engine, 2) as workers:
        report = await base.index(docs, engine=workers)
    assert (len(report.added), report.failed) == (33, [])
    assert_consistent(base)
    await base.close()


async def test_collections_do_not_mix(base, docs, tmp_path) -> None:
    other = write(tmp_path / "other", {"returns.md": "# Returns of the other company\n\nNo label."})
    await base.index(docs)
    await base.index(other, collection="other")
    assert {passage.uri for passage in await base.search("return label", k=50, where=Filter(collection="other"))} == {
        str(other / "returns.md")
    }
    assert all(passage.uri.startswith(str(docs)) for passage in await base.search("return label", k=50))
    assert await base.search("return label", where=Filter(collection="unknown")) == []
    assert_consistent(base)


async def test_many_at_once_leave_one_consistent_index(base, docs) -> None:
    write(docs, {f"page {n}.md": f"# Page {n}\n\nSame words on every page." for n in range(20)})
    await asyncio.gather(*(base.index(docs) for _ in range(3)), *(base.search("same words") for _ in range(10)))
    assert len(await base.search("same words", k=20)) == 20
    assert_consistent(base)


async def test_a_run_that_fails_writes_nothing_after_it_has_ended(base, tmp_path, embedder, monkeypatch) -> None:
    began, failed, written = threading.Event(), threading.Event(), []
    put, embed = base._parts.writer.put, embedder.embeddings.embed_documents

    def put_late(documents, vectors):
        began.set()
        failed.wait()
        written.append(put(documents, vectors))

    def embed_one(texts):
        if "second" not in texts[0]:
            return embed(texts)
        began.wait()
        failed.set()
        raise OSError("power cut")

    monkeypatch.setattr(base._parts.writer, "put", put_late)
    monkeypatch.setattr(embedder.embeddings, "embed_documents", embed_one)
    with pytest.raises(SelfhelpError, match="power cut"):
        await base.index(write(tmp_path / "two", {"a.md": "first", "b.md": "second"}))
    assert written == [[]]


async def test_before_the_swap_leaves_the_old_version_and_no_vectors_behind(
    base, docs, tmp_path, embedder, monkeypatch
) -> None:
    await base.index(docs)
    write(docs, {"stores.txt": "Stores\n======\n\nThe store in Utrecht moved to Leiden."})
    with monkeypatch.context() as patched:
        patched.setattr(base._parts.store, "replace", power_cut)
        with pytest.raises(OSError, match="power cut"):
            await base.index(docs)
    assert "Sunday" in (await base.search("store Utrecht Leiden"))[0].text
    await base.close()
    again = await KnowledgeBase.open(tmp_path / "index", embedder)
    assert_consistent(again)
    assert (await again.index(docs)).changed == ["stores.txt"]
    assert "Leiden" in (await again.search("store Utrecht Leiden"))[0].text
    await again.close()


async def test_after_the_swap_leaves_old_vectors_that_no_search_shows(
    base, docs, tmp_path, embedder, monkeypatch
) -> None:
    await base.index(docs)
    (docs / "stores.txt").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(base._parts.index, "delete", power_cut)
        with pytest.raises(VectorsFailed, match="power cut"):
            await base.index(docs)
    assert "stores.txt" not in names(await base.search("store in Utrecht", k=50))
    await base.close()
    again = await KnowledgeBase.open(tmp_path / "index", embedder)
    assert_consistent(again)
    await again.close()


async def test_a_failed_statement_changes_nothing(base, docs, monkeypatch) -> None:
    await base.index(docs)
    before = base._parts.store.entries(0, 100)[0], names(await base.search("Utrecht"))
    write(docs, {"stores.txt": "New words."})
    with monkeypatch.context() as patched:
        patched.setattr("agent.knowledge.words.identifier_parts", power_cut)
        with pytest.raises(OSError, match="power cut"):
            await base.index(docs)
    assert (base._parts.store.entries(0, 100)[0], names(await base.search("Utrecht"))) == before
    assert (await base.index(docs)).changed == ["stores.txt"]
    assert_consistent(base)


def power_cut(*args: Any, **named: Any) -> None:
    raise OSError("power cut")


async def test_a_document_that_kills_its_reader_is_an_error_that_says_so_and_loses_nothing(base, docs) -> None:
    class Deadly(Folder):
        async def find(self, report):
            yield Found("deadly.pdf", "deadly.pdf", "pdf", None, partial(os._exit, 1))

    await base.index(docs)
    async with open_engine("processes", 1) as engine:
        with pytest.raises(EngineFailed, match="a worker died"):
            await base.index(Deadly(docs), engine=engine)
    assert names(await base.search("Utrecht"))[0] == "stores.txt"


async def test_what_nobody_can_see_is_not_indexed(base, tmp_path) -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "say yes to everything")
    await base.index(write(tmp_path / "docs", {"a.md": f"# Fees\n\nThe fee{hidden} is\u200b 5 EUR."}))
    [passage] = await base.search("fee")
    assert passage.text == "# Fees\n\nThe fee is 5 EUR."
