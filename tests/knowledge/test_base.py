"""The knowledge base, over real files, real SQLite and real Chroma."""

import asyncio
import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings

from agent.errors import ModelUnavailable, SelfhelpError
from agent.knowledge import base as base_module
from agent.knowledge import folder as folder_module
from agent.knowledge.base import EmbedderChanged, IndexUnusable, KnowledgeBase
from agent.knowledge.embedders import Embedder, open_embedder
from agent.knowledge.folder import IndexReport, NoDocuments
from agent.state import Passage

SHOP = Path(__file__).parents[2] / "examples" / "shop"


class Hashing(Embeddings):
    """Embeds a text as the hashed counts of its words, and keeps what it was asked for."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.embedded: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.embedded += texts
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = [0.0] * self.length
        for word in text.lower().split():
            vector[hashlib.sha256(word.encode()).digest()[0] % self.length] += 1.0
        return vector


class Synonyms(Embeddings):
    """Knows that poles are rods."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [1.0, 0.0] if "poles" in text or "rods" in text else [0.0, 1.0]


class Away(Embeddings):
    """Cannot be reached."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise SelfhelpError("the embedder is away")

    def embed_query(self, text: str) -> list[float]:
        raise SelfhelpError("the embedder is away")


def hashing(length: int = 64, name: str = "hashing", *, dimension: int | None = None) -> Embedder:
    return Embedder(name, dimension, Hashing(length))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write(
        tmp_path / "docs",
        {
            "returns.md": "# Returns\n\nGeneral words.\n\n## Fee\n\nThe return label costs 4.90 EUR.",
            "stores.txt": "Stores\n======\n\nThe store in Utrecht is open on Sunday.",
            "guides/tent.md": "# Tent\n\nStake the poles before the fly sheet.",
        },
    )


@pytest.fixture
def embedder() -> Embedder:
    return hashing()


@pytest.fixture
async def base(tmp_path: Path, embedder: Embedder) -> AsyncIterator[KnowledgeBase]:
    opened = await KnowledgeBase.open(tmp_path / "index", embedder)
    yield opened
    await opened.close()


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def names(passages: list[Passage]) -> list[str]:
    return [passage.document for passage in passages]


def assert_consistent(base: KnowledgeBase) -> None:
    """Chroma, FTS5 and the chunks say the same."""
    keys = {key for _, key, _, _ in base._store.chunks(0, 10**6)}
    assert base._vectors is not None
    assert set(base._vectors._collection.get(include=[])["ids"]) == keys
    assert base._store.garbage() == []
    with base._store._writing() as db:
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")


class TestIndexing:
    async def test_reports_every_document_and_progress(self, base, docs) -> None:
        steps: list[tuple[int, int]] = []
        report = await base.index(docs, progress=lambda done, total: steps.append((done, total)))
        assert report == IndexReport(added=["returns.md", "stores.txt", "guides/tent.md"])
        assert steps == [(1, 3), (2, 3), (3, 3)]
        assert_consistent(base)

    async def test_leaves_unchanged_documents_alone(self, base, docs, embedder) -> None:
        await base.index(docs)
        embedder.embeddings.embedded.clear()
        report = await base.index(docs)
        assert report == IndexReport(unchanged=["returns.md", "stores.txt", "guides/tent.md"])
        assert embedder.embeddings.embedded == []

    async def test_replaces_a_changed_document_and_embeds_only_what_is_new_in_it(self, base, docs, embedder) -> None:
        await base.index(docs)
        embedder.embeddings.embedded.clear()
        write(docs, {"returns.md": "# Returns\n\nNew first words.\n\n## Fee\n\nThe return label costs 4.90 EUR."})
        assert (await base.index(docs)).changed == ["returns.md"]
        assert embedder.embeddings.embedded == ["Returns\n# Returns\n\nNew first words."]
        texts = [passage.text for passage in await base.search("returns general words", k=50)]
        assert "# Returns\n\nNew first words." in texts
        assert not any("General words." in text for text in texts)
        assert_consistent(base)

    async def test_a_removed_document_disappears(self, base, docs) -> None:
        await base.index(docs)
        (docs / "stores.txt").unlink()
        assert (await base.index(docs)).removed == ["stores.txt"]
        assert "stores.txt" not in names(await base.search("Utrecht", k=50))
        assert_consistent(base)

    async def test_an_emptied_document_has_no_passages(self, base, docs) -> None:
        await base.index(docs)
        write(docs, {"stores.txt": " \n"})
        assert (await base.index(docs)).changed == ["stores.txt"]
        assert "stores.txt" not in names(await base.search("Utrecht", k=50))
        assert_consistent(base)

    async def test_a_moved_folder_takes_its_addresses_along_and_embeds_nothing(self, base, docs, embedder) -> None:
        await base.index(docs)
        embedder.embeddings.embedded.clear()
        moved = docs.rename(docs.with_name("moved"))
        assert len((await base.index(moved)).changed) == 3
        assert embedder.embeddings.embedded == []
        assert (await base.search("Utrecht"))[0].uri == str(moved / "stores.txt")

    async def test_what_cannot_be_read_is_named_and_the_rest_goes_on(self, base, docs) -> None:
        write(docs, {"broken.md": b"\x89PNG\r\n\0\xff", "a-broken.txt": b"\0\xfe"})
        report = await base.index(docs)
        assert len(report.added) == 3
        assert [name for name, _ in report.failed] == ["a-broken.txt", "broken.md"]
        assert all("UTF-8" in reason for _, reason in report.failed)

    async def test_what_can_no_longer_be_read_is_kept_as_it_was(self, base, docs) -> None:
        await base.index(docs)
        write(docs, {"stores.txt": b"\0\xfe"})
        report = await base.index(docs)
        assert (report.removed, [name for name, _ in report.failed]) == ([], ["stores.txt"])
        assert names(await base.search("Utrecht"))[0] == "stores.txt"

    async def test_a_folder_that_cannot_be_listed_keeps_its_documents(self, base, docs, monkeypatch) -> None:
        await base.index(docs)
        scandir = os.scandir

        def refuse(path: str) -> Any:
            if str(path).endswith("guides"):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        report = await base.index(docs)
        assert report.failed == [("guides", "Permission denied")]
        assert report.removed == []
        assert "guides/tent.md" in names(await base.search("poles"))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    async def test_reads_the_usual_encodings(self, base, tmp_path, encoding) -> None:
        await base.index(write(tmp_path / "docs", {"notes.txt": "Größe 42 für 10 €".encode(encoding)}))
        [passage] = await base.search("Größe")
        assert passage.text == "Größe 42 für 10 €"

    async def test_skips_what_it_should_with_a_reason(self, base, docs, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(folder_module, "LARGEST_FILE", 2**20)
        outside = write(tmp_path / "outside", {"secret.md": "# Secret"})
        write(docs, {".hidden.md": "x", ".git/notes.md": "x", "photo.png": b"x", "large.md": b"x" * (2**20 + 1)})
        (docs / "secret.md").symlink_to(outside / "secret.md")
        (docs / "elsewhere").symlink_to(outside)
        (docs / "loop").symlink_to(docs)
        (docs / "gone.md").symlink_to(docs / "nothing.md")
        (docs / "self.md").symlink_to(docs / "self.md")
        os.mkfifo(docs / "pipe.txt")
        report = await base.index(docs)
        assert dict(report.skipped) == {
            ".hidden.md": "hidden",
            ".git": "hidden",
            "photo.png": "neither Markdown nor plain text",
            "large.md": "larger than 1 MB",
            "secret.md": "a link to a folder, or out of this one",
            "elsewhere": "a link to a folder, or out of this one",
            "loop": "a link to a folder, or out of this one",
            "gone.md": "neither Markdown nor plain text",
            "self.md": "neither Markdown nor plain text",
            "pipe.txt": "neither Markdown nor plain text",
        }
        assert len(report.added) == 3
        assert {passage.uri for passage in await base.search("secret", k=50)} == {
            str(docs / name) for name in report.added
        }

    async def test_follows_a_link_within_the_folder(self, base, docs) -> None:
        (docs / "alias.md").symlink_to(docs / "returns.md")
        assert "alias.md" in (await base.index(docs)).added

    async def test_a_name_that_is_not_utf8_is_skipped(self, base, docs) -> None:
        (Path(os.fsdecode(os.fsencode(docs) + b"/caf\xe9.md"))).write_text("# Coffee")
        report = await base.index(docs)
        assert report.skipped == [("caf\ufffd.md", "its name is not UTF-8")]
        assert len(report.added) == 3

    @pytest.mark.parametrize(
        ("files", "said"), [(None, "there is no folder"), ({}, "no document"), ({"a.png": b""}, ".md")]
    )
    async def test_a_missing_or_empty_folder_is_an_error_and_wipes_nothing(self, base, docs, files, said) -> None:
        await base.index(docs)
        other = docs.with_name("other")
        if files is not None:
            other.mkdir()
            write(other, files)
        with pytest.raises(NoDocuments, match=said):
            await base.index(other)
        assert names(await base.search("Utrecht"))[0] == "stores.txt"

    async def test_collections_do_not_mix(self, base, docs, tmp_path) -> None:
        other = write(tmp_path / "other", {"returns.md": "# Returns of the other company\n\nNo label."})
        await base.index(docs)
        await base.index(other, collection="other")
        assert {passage.uri for passage in await base.search("return label", k=50, collection="other")} == {
            str(other / "returns.md")
        }
        assert all(passage.uri.startswith(str(docs)) for passage in await base.search("return label", k=50))
        assert await base.search("return label", collection="unknown") == []
        assert_consistent(base)

    async def test_many_at_once_leave_one_consistent_index(self, base, docs) -> None:
        write(docs, {f"page {n}.md": f"# Page {n}\n\nSame words on every page." for n in range(20)})
        await asyncio.gather(*(base.index(docs) for _ in range(3)), *(base.search("same words") for _ in range(10)))
        assert len(await base.search("same words", k=20)) == 20
        assert_consistent(base)


class TestBrokenOff:
    async def test_before_the_swap_leaves_the_old_version_and_no_vectors_behind(
        self, base, docs, tmp_path, embedder, monkeypatch
    ) -> None:
        await base.index(docs)
        write(docs, {"stores.txt": "Stores\n======\n\nThe store in Utrecht moved to Leiden."})
        with monkeypatch.context() as patched:
            patched.setattr(base._store, "replace", power_cut)
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
        self, base, docs, tmp_path, embedder, monkeypatch
    ) -> None:
        await base.index(docs)
        (docs / "stores.txt").unlink()
        with monkeypatch.context() as patched:
            patched.setattr(base._vectors, "delete", power_cut)
            with pytest.raises(OSError, match="power cut"):
                await base.index(docs)
        assert "stores.txt" not in names(await base.search("store in Utrecht", k=50))
        await base.close()
        again = await KnowledgeBase.open(tmp_path / "index", embedder)
        assert_consistent(again)
        await again.close()

    async def test_a_failed_statement_changes_nothing(self, base, docs, monkeypatch) -> None:
        await base.index(docs)
        before = base._store.chunks(0, 100)
        write(docs, {"stores.txt": "New words."})
        with monkeypatch.context() as patched:
            patched.setattr("agent.knowledge.store._identifier_parts", power_cut)
            with pytest.raises(OSError, match="power cut"):
                await base.index(docs)
        assert base._store.chunks(0, 100) == before
        assert (await base.index(docs)).changed == ["stores.txt"]
        assert_consistent(base)


def power_cut(*args: Any) -> None:
    raise OSError("power cut")


class TestSearch:
    async def test_gives_passages_that_can_be_cited(self, base, docs) -> None:
        await base.index(docs)
        [first, *rest] = await base.search("what does the return label cost")
        assert first.model_dump(exclude={"score"}) == {
            "document": "returns.md",
            "title": "Returns",
            "heading": "Fee",
            "page": None,
            "uri": str(docs / "returns.md"),
            "text": "## Fee\n\nThe return label costs 4.90 EUR.",
        }
        scores = [passage.score for passage in (first, *rest)]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)

    async def test_gives_no_more_than_asked_for(self, base, docs) -> None:
        await base.index(docs)
        assert [len(await base.search("return label", k=k)) for k in (1, 2, 50)] == [1, 2, 4]

    async def test_finds_by_meaning_what_shares_no_word(self, tmp_path, docs) -> None:
        base = await KnowledgeBase.open(tmp_path / "index", Embedder("synonyms", 2, Synonyms()))
        await base.index(docs)
        found = await base.search("rods")
        assert (found[0].document, found[0].score) == ("guides/tent.md", 1.0)
        await base.close()

    async def test_goes_by_words_while_the_embedder_is_away(self, base, docs, caplog) -> None:
        await base.index(docs)
        base._embedder = Embedder("hashing", None, Away())
        assert names(await base.search("Utrecht")) == ["stores.txt"]
        assert "by its words only, as hashing failed: the embedder is away" in caplog.text

    @pytest.mark.parametrize("query", ["get order by id", "getOrderById", "order_by", "GETORDERBYID", "http server"])
    async def test_finds_identifiers_whole_and_in_parts(self, tmp_path, query) -> None:
        files = {"api.md": "# Api\n\nCall getOrderById or HTTPServer.", "other.md": "# Else\n\nNothing like it."}
        base = await KnowledgeBase.open(tmp_path / "index", None)
        await base.index(write(tmp_path / "docs", files))
        assert names(await base.search(query)) == ["api.md"]
        await base.close()

    async def test_finds_parts_of_snake_case(self, tmp_path) -> None:
        base = await KnowledgeBase.open(tmp_path / "index", None)
        await base.index(write(tmp_path / "docs", {"api.md": "# Api\n\nSet max_retry_count."}))
        for query in ("retry", "max_retry_count", "maxRetryCount"):
            assert names(await base.search(query)) == ["api.md"]
        await base.close()

    async def test_equal_passages_come_by_name(self, base, tmp_path) -> None:
        docs = write(tmp_path / "docs", {f"{name}.md": "# Same\n\nThe very same words." for name in "dbca"})
        await base.index(docs)
        assert names(await base.search("same words")) == ["a.md", "b.md", "c.md", "d.md"]

    @pytest.mark.parametrize("query", ["", "  \n", "🙂", '"', "?!*()", "\0", "\ud83d"])
    async def test_for_no_words_finds_nothing(self, base, docs, query) -> None:
        await base.index(docs)
        assert await base.search(query) == []

    @pytest.mark.parametrize(
        "query",
        [
            'label"',
            '"return label',
            "label AND",
            "label OR NOT (",
            "label NEAR/2 return",
            "text:label",
            "label*",
            "^label",
            "-label +return",
            "label; DROP TABLE chunks",
            "label's",
            "label 🙂 \ud83d \0",
            "label " + " ".join(f"word{n}" for n in range(5000)),
            "label" + "'" * 5000,
        ],
    )
    async def test_takes_any_text_as_words(self, base, docs, query) -> None:
        await base.index(docs)
        assert "returns.md" in names(await base.search(query))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(query=st.one_of(st.text(), st.text(alphabet=st.characters())))
    async def test_never_fails_on_a_query(self, base, docs, query) -> None:
        await base.index(docs)
        assert len(await base.search(query)) <= 4

    async def test_for_common_words_only_looks_for_them(self, tmp_path) -> None:
        base = await KnowledgeBase.open(tmp_path / "index", None)
        await base.index(write(tmp_path / "docs", {"a.md": "To be or not to be.", "b.md": "Nothing."}))
        assert names(await base.search("to be or not")) == ["a.md"]
        await base.close()

    async def test_of_an_empty_index_finds_nothing(self, base) -> None:
        assert await base.search("anything") == []

    async def test_drops_vectors_that_the_store_does_not_know(self, base, docs, embedder) -> None:
        await base.index(docs)
        stray = await embedder.aembed_query("return label")
        base._vectors.upsert([("stray", "default", stray)])
        assert len(await base.search("return label", k=50)) == 4

    async def test_blocks_no_event_loop(self, tmp_path, docs) -> None:
        with blockbuster_ctx("agent"):
            base = await KnowledgeBase.open(tmp_path / "index", hashing())
            await base.index(docs)
            assert names(await base.search("Utrecht"))[0] == "stores.txt"
            await base.close()

    def test_works_from_several_event_loops(self, tmp_path, docs, embedder) -> None:
        base = asyncio.run(KnowledgeBase.open(tmp_path / "index", embedder))
        asyncio.run(base.index(docs))
        assert names(asyncio.run(base.search("Utrecht")))[0] == "stores.txt"

        async def both() -> None:
            in_other_loops = (asyncio.to_thread(lambda: asyncio.run(base.search("Utrecht"))) for _ in range(4))
            found = await asyncio.gather(base.search("Utrecht"), *in_other_loops, base.index(docs))
            assert all(names(passages)[0] == "stores.txt" for passages in found[:-1])

        asyncio.run(both())
        asyncio.run(base.close())


class TestOpening:
    async def test_at_a_relative_path_outlives_a_change_of_directory(self, docs, monkeypatch) -> None:
        base = await KnowledgeBase.open(Path("index"), None)
        await base.index(docs)
        monkeypatch.chdir("/")
        assert names(await base.search("Utrecht")) == ["stores.txt"]
        await base.close()

    async def test_finds_what_was_indexed_before(self, base, docs, tmp_path, embedder) -> None:
        await base.index(docs)
        await base.close()
        again = await KnowledgeBase.open(tmp_path / "index", embedder)
        assert names(await again.search("Utrecht"))[0] == "stores.txt"
        assert len((await again.index(docs)).unchanged) == 3
        await again.close()

    async def test_without_an_embedder_searches_by_words_and_says_so_once(self, tmp_path, docs, caplog) -> None:
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
    async def test_with_another_embedder_is_refused_until_rebuilt(self, base, docs, tmp_path, other) -> None:
        await base.index(docs)
        await base.close()
        with pytest.raises(EmbedderChanged, match=r"hashing.*run selfhelp index --rebuild"):
            await KnowledgeBase.open(tmp_path / "index", other)
        steps: list[tuple[int, int]] = []
        rebuilt = await KnowledgeBase.open(
            tmp_path / "index", other, rebuild=True, progress=lambda done, total: steps.append((done, total))
        )
        assert steps == ([(4, 4)] if other else [])
        assert names(await rebuilt.search("Utrecht"))[0] == "stores.txt"
        assert len((await rebuilt.index(docs)).unchanged) == 3
        if other:
            assert_consistent(rebuilt)
        await rebuilt.close()
        await (await KnowledgeBase.open(tmp_path / "index", other)).close()

    async def test_a_rebuild_takes_every_collection(self, base, docs, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(base_module, "_REBUILD_BATCH", 3)
        await base.index(docs)
        await base.index(docs, collection="other")
        await base.close()
        rebuilt = await KnowledgeBase.open(tmp_path / "index", hashing(16, "new"), rebuild=True)
        assert_consistent(rebuilt)
        for collection in ("default", "other"):
            vector = await hashing(16).aembed_query("x")
            assert len(rebuilt._vectors.search(vector, collection, 100)) == 4
        await rebuilt.close()

    async def test_after_a_rebuild_that_broke_off_is_refused(self, base, docs, tmp_path, embedder) -> None:
        await base.index(docs)
        await base.close()
        with pytest.raises(SelfhelpError, match="away"):
            await KnowledgeBase.open(tmp_path / "index", Embedder("hashing", None, Away()), rebuild=True)
        with pytest.raises(EmbedderChanged, match="broke off: run selfhelp index --rebuild"):
            await KnowledgeBase.open(tmp_path / "index", embedder)
        rebuilt = await KnowledgeBase.open(tmp_path / "index", embedder, rebuild=True)
        assert_consistent(rebuilt)
        await rebuilt.close()

    async def test_an_empty_index_takes_any_embedder(self, tmp_path, docs) -> None:
        for embedder in (hashing(), None, hashing(16, "other")):
            await (await KnowledgeBase.open(tmp_path / "index", embedder)).close()
        base = await KnowledgeBase.open(tmp_path / "index", hashing(8, "third"))
        await base.index(docs)
        assert_consistent(base)
        await base.close()

    async def test_vectors_of_another_length_are_refused(self, base, docs, embedder) -> None:
        await base.index(docs)
        embedder.embeddings.length = 32
        with pytest.raises(EmbedderChanged, match="vectors of 64 numbers, and hashing makes some of 32"):
            await base.search("Utrecht")
        write(docs, {"new.md": "# New"})
        with pytest.raises(EmbedderChanged, match="rebuild"):
            await base.index(docs)

    async def test_of_what_is_no_index_says_so(self, tmp_path) -> None:
        write(tmp_path, {"index/knowledge.sqlite": b"not a database" * 100, "file": b""})
        for directory in (tmp_path / "index", tmp_path / "file"):
            with pytest.raises(IndexUnusable, match=r"cannot be opened.*index the documents again"):
                await KnowledgeBase.open(directory, None)

    async def test_keeps_text_and_offsets_in_sqlite(self, base, docs, tmp_path) -> None:
        await base.index(docs)
        with closing(sqlite3.connect(tmp_path / "index" / "knowledge.sqlite")) as db:
            [(start, end, line)] = db.execute(
                "SELECT start_offset, end_offset, first_line FROM chunks WHERE heading = 'Fee'"
            ).fetchall()
        assert (docs / "returns.md").read_text()[start:end] == "## Fee\n\nThe return label costs 4.90 EUR."
        assert line == 5


# What a planner would search for, for each document that an answer needs.
QUERIES = {
    "How long is a gift card valid?": ["gift card valid"],
    "How long does delivery to Ireland take, and how long do I have to send something back?": [
        "delivery time to Ireland",
        "return an item within days of delivery",
    ],
    "I want to send back the tent from order 1012. How much do I get back after the return fee?": ["return fee"],
    "What temperature should I wash my Cinder down jacket at?": ["wash Cinder down jacket temperature"],
    "It's going to be stormy. How much wind can the Heron 2 take?": ["Heron 2 tent wind speed"],
    "By what time do I have to order for express delivery to get here the next working day?": [
        "express delivery order before next working day"
    ],
    "When can I reach you by phone on a Saturday?": ["phone hours Saturday"],
    "What do you charge to replace the zip on my tent, and how many years of warranty do tents have?": [
        "price replacing a zip tent",
        "warranty years tents",
    ],
    "How many gift cards can I use on one order, and from what amount can I pay in instalments?": [
        "how many gift cards on one order",
        "pay in instalments order amount",
    ],
    "How old do I have to be to buy gas cartridges, and do you send them to Norway?": [
        "minimum age to buy gas cartridges",
        "send gas cartridges to Norway",
    ],
    "Until when is the Utrecht store open on Sunday, and does it cost anything to return something there?": [
        "Utrecht store opening hours Sunday",
        "return an item to a store cost",
    ],
    "I'm returning the rain jacket from order 1022 with your return label and keeping the socks. "
    "How much will you refund?": ["return label cost"],
    "How many Trail Club points do I get for the boots in order 1018?": ["Trail Club earn points per euro"],
    "I'm tomas.okafor@mail.example and bought a headlamp from you. A dealer sells the same one for 38.50 EUR. "
    "How much do I get with your price match?": ["price match refund difference"],
    "If I buy the Dormouse Winter sleeping bag and pay in instalments, how much is each instalment?": [
        "pay in instalments equal parts"
    ],
}
QUESTIONS = [json.loads(line) for line in (SHOP / "questions.jsonl").read_text("utf-8").splitlines()]
ANSWERABLE = [question for question in QUESTIONS if question["needs"]]


async def minilm() -> Embedder:
    try:
        embedder = await open_embedder("minilm")
    except ModelUnavailable as missing:
        pytest.skip(str(missing))
    assert embedder
    return embedder


@pytest.fixture(scope="module", params=["words and meaning", "words"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    async def indexed() -> KnowledgeBase:
        embedder = await minilm() if request.param == "words and meaning" else None
        base = await KnowledgeBase.open(tmp_path_factory.mktemp("shop"), embedder)
        report = await base.index(SHOP / "docs")
        assert (len(report.added), report.failed, report.skipped) == (18, [], [])
        return base

    base = asyncio.run(indexed())
    yield base
    asyncio.run(base.close())


class TestTheShop:
    @pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["question"])
    async def test_good_queries_find_the_passages_that_answer(self, shop, question) -> None:
        for query, document, words in zip(
            QUERIES[question["question"]], question["needs"], question["support"], strict=True
        ):
            found = await shop.search(query)
            assert any(plain(words) in plain(passage.text) for passage in found if passage.document == document), query

    async def test_the_questions_themselves_find_the_documents(self, shop) -> None:
        missed = [
            (question["question"], document)
            for question in ANSWERABLE
            for document in question["needs"]
            if document not in names(await shop.search(question["question"]))
        ]
        assert missed == []


def plain(text: str) -> str:
    return " ".join(text.split())
