"""Searching: what is found, in which order, and what never is."""

import asyncio
import os
import re

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from agent.knowledge.filters import Filter
from agent.knowledge.vectors import Entry
from tests.support.documents import Away, Synonyms, hashing, names, write

# Folder, collection, owner and date of documents.
FILTERED = [
    ("old", "default", None, 1000),
    ("new", "default", None, 3000),
    ("anns", "default", "ann", 3000),
    ("staff", "staff", None, 3000),
]


async def test_gives_passages_that_can_be_cited(base, docs) -> None:
    await base.index(docs)
    [first, *rest] = await base.search("what does the return label cost")
    assert first.model_dump(exclude={"score", "id"}) == {
        "document": "returns.md",
        "title": "Returns",
        "heading": "Fee",
        "page": None,
        "first_line": 5,
        "last_line": 7,
        "uri": str(docs / "returns.md"),
        "text": "## Fee\n\nThe return label costs 4.90 EUR.",
    }
    scores = [passage.score for passage in (first, *rest)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


async def test_gives_no_more_than_asked_for(base, docs) -> None:
    await base.index(docs)
    assert [len(await base.search("return label", k=k)) for k in (1, 2, 50)] == [1, 2, 4]


async def test_finds_by_meaning_what_shares_no_word(tmp_path, docs) -> None:
    base = await KnowledgeBase.open(tmp_path / "index", Embedder("synonyms", 2, Synonyms()))
    await base.index(docs)
    found = await base.search("rods")
    assert (found[0].document, found[0].score) == ("guides/tent.md", 1.0)
    await base.close()


async def test_goes_by_words_while_the_embedder_is_away(base, docs, caplog) -> None:
    await base.index(docs)
    base._embedder = Embedder("hashing", None, Away())
    assert names(await base.search("Utrecht")) == ["stores.txt"]
    assert "by its words only, as hashing failed: the embedder is away" in caplog.text


@pytest.mark.parametrize("query", ["get order by id", "getOrderById", "order_by", "GETORDERBYID", "http server"])
async def test_finds_identifiers_whole_and_in_parts(tmp_path, query) -> None:
    files = {"api.md": "# Api\n\nCall getOrderById or HTTPServer.", "other.md": "# Else\n\nNothing like it."}
    base = await KnowledgeBase.open(tmp_path / "index", None)
    await base.index(write(tmp_path / "docs", files))
    assert names(await base.search(query)) == ["api.md"]
    await base.close()


async def test_finds_parts_of_snake_case(tmp_path) -> None:
    base = await KnowledgeBase.open(tmp_path / "index", None)
    await base.index(write(tmp_path / "docs", {"api.md": "# Api\n\nSet max_retry_count."}))
    for query in ("retry", "max_retry_count", "maxRetryCount"):
        assert names(await base.search(query)) == ["api.md"]
    await base.close()


async def test_equally_good_passages_come_by_name(tmp_path) -> None:
    base = await KnowledgeBase.open(tmp_path / "index", None)
    await base.index(write(tmp_path / "docs", {f"{name}.md": f"# Same\n\nThe same {name * 3}." for name in "dbca"}))
    assert names(await base.search("same")) == ["a.md", "b.md", "c.md", "d.md"]
    await base.close()


async def test_what_repeats_a_better_passage_is_left_out(base, tmp_path) -> None:
    terms = "Our terms: a parcel that comes back within thirty days of its delivery is refunded in full, without a fee."
    copies = {f"terms-{year}.md": f"# Terms\n\n{terms}" for year in range(2020, 2026)}
    await base.index(write(tmp_path / "docs", copies | {"shipping.md": "# Shipping\n\nA parcel takes two days."}))
    assert names(await base.search("parcel back within thirty days")) == ["terms-2020.md", "shipping.md"]


class TestFilters:
    @pytest.fixture
    async def base(self, tmp_path, embedder):
        opened = await KnowledgeBase.open(tmp_path / "index", embedder)
        for folder, collection, owner, modified in FILTERED:
            write(tmp_path / folder, {f"{folder}.md": f"# Bikes\n\nBikes of {folder}.", f"{folder}.txt": "Bikes too."})
            for path in (tmp_path / folder).iterdir():
                os.utime(path, (modified, modified))
            await opened.index(tmp_path / folder, collection=collection, owner=owner)
        yield opened
        await opened.close()

    @pytest.mark.parametrize(
        ("where", "found"),
        [
            (Filter(), {"old", "new"}),
            (Filter(owner="ann"), {"old", "new", "anns"}),
            (Filter(owner="bob"), {"old", "new"}),
            (Filter(collection="staff"), {"staff"}),
            (Filter(since=2000), {"new"}),
            (Filter(until=2000), {"old"}),
            (Filter(owner="ann", since=2500, until=3500), {"new", "anns"}),
            (Filter(collection="staff", owner="ann", kinds=("pdf",)), set()),
        ],
    )
    async def test_keep_others_passages_out(self, base, where, found) -> None:
        documents = names(await base.search("bikes", k=50, where=where))
        assert {document.split(".")[0] for document in documents} == found

    async def test_of_kind_and_source(self, base, tmp_path) -> None:
        assert names(
            await base.search("bikes", k=50, where=Filter(kinds=("text",), sources=(str(tmp_path / "old"),)))
        ) == ["old.txt"]

    async def test_leave_as_many_as_asked_for_however_many_others_fit_better(self, tmp_path, embedder) -> None:
        base = await KnowledgeBase.open(tmp_path / "index", embedder)
        write(tmp_path / "many", {f"{n}.md": f"# Bike bike {n}\n\nBike bike bike {n}." for n in range(150)})
        write(tmp_path / "few", {"a.md": "# A\n\nHere a bike is mentioned among other things that have wheels."})
        await base.index(tmp_path / "many", collection="many")
        await base.index(tmp_path / "few", collection="few")
        assert names(await base.search("bike", where=Filter(collection="few"))) == ["a.md"]
        await base.close()


class TestHandingOn:
    @pytest.fixture
    async def manual(self, base, tmp_path):
        parts = [f"## Part {n}\n\n" + " ".join(f"Sentence {i} of part {n}." for i in range(12)) for n in range(6)]
        await base.index(write(tmp_path / "docs", {"manual.md": "# Manual\n\n" + "\n\n".join(parts)}))
        return (tmp_path / "docs" / "manual.md").read_text()

    async def test_neighbours_are_joined_to_one_quote_of_the_document(self, base, manual) -> None:
        [passage] = await base.search("part 3", k=1, neighbours=1)
        assert passage.text in manual
        assert all(f"## Part {n}" in passage.text for n in (2, 3, 4))
        lines = manual.splitlines()[passage.first_line - 1 : passage.last_line]
        assert "\n".join(lines) == passage.text

    async def test_hits_that_meet_become_one(self, base, manual) -> None:
        found = await base.search("part sentence", k=6, neighbours=1)
        text = "".join(passage.text for passage in found)
        assert [text.count(f"## Part {n}") for n in range(6)] == [1] * 6
        assert len(found) < 6

    @settings(max_examples=20)
    @given(tokens=st.integers(50, 1000))
    async def test_a_budget_is_kept_without_cutting_a_sentence(self, base, manual, tokens) -> None:
        found = await base.search("part 3", k=6, tokens=tokens)
        assert 0 < sum(len(passage.text) for passage in found) <= 4 * tokens
        assert all(passage.text in manual and passage.text.endswith(".") for passage in found)


async def test_says_what_a_score_is_made_of(base, docs) -> None:
    await base.index(docs)
    hits = await base.hits("what does the return label cost", k=50)
    assert all(hit.passage.score == pytest.approx(hit.by_meaning + hit.by_words) for hit in hits)
    assert hits[0].by_words == pytest.approx(0.7)
    assert [hit.by_words for hit in hits if hit.bm25 is None] == [0, 0]


async def test_the_weight_of_meaning_can_be_set(tmp_path, docs) -> None:
    for weight, first in ((1.0, "guides/tent.md"), (0.0, "stores.txt")):
        base = await KnowledgeBase.open(tmp_path / "index", Embedder("synonyms", 2, Synonyms()), dense_weight=weight)
        await base.index(docs)
        assert names(await base.search("rods Utrecht"))[0] == first
        await base.close()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("gap", [1, 4])
async def test_joined_and_shortened_passages_tell_their_lines(tmp_path, end, gap) -> None:
    rows = [f"row{n},{'and this. ' * 12}" for n in range(60)]
    docs = write(tmp_path / "docs", {"table.csv": (end * gap).join(["name,text", *rows])})
    lines = re.split(r"\r\n|\r|\n", (docs / "table.csv").read_bytes().decode())
    base = await KnowledgeBase.open(tmp_path / "index", None)
    await base.index(docs)
    for tokens in (100, 300, 1000):
        [passage] = await base.search("row30", k=1, neighbours=1, tokens=tokens)
        quoted = re.split(r"\r\n|\r|\n", passage.text)
        of_file = lines[passage.first_line - 1 : passage.last_line]
        assert [line.strip() for line in quoted[:-1]] == [line.strip() for line in of_file[:-1]]
        assert of_file[-1].startswith(quoted[-1])
    await base.close()


@pytest.mark.parametrize("query", ["", "  \n", "🙂", '"', "?!*()", "\0", "\ud83d"])
async def test_for_no_words_finds_nothing(base, docs, query) -> None:
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
async def test_takes_any_text_as_words(base, docs, query) -> None:
    await base.index(docs)
    assert "returns.md" in names(await base.search(query))


@given(query=st.one_of(st.text(), st.text(alphabet=st.characters())))
async def test_never_fails_on_a_query(base, docs, query) -> None:
    await base.index(docs)
    assert len(await base.search(query)) <= 4


async def test_for_common_words_only_looks_for_them(tmp_path) -> None:
    base = await KnowledgeBase.open(tmp_path / "index", None)
    await base.index(write(tmp_path / "docs", {"a.md": "To be or not to be.", "b.md": "Nothing."}))
    assert names(await base.search("to be or not")) == ["a.md"]
    await base.close()


async def test_of_an_empty_index_finds_nothing(base) -> None:
    assert await base.search("anything") == []


async def test_drops_vectors_that_the_store_does_not_know(base, docs, embedder) -> None:
    await base.index(docs)
    stray = await embedder.aembed_query("return label")
    base._parts.index.upsert([Entry("stray", stray, "default", "docs", "markdown", None, None)])
    assert len(await base.search("return label", k=50)) == 4


async def test_blocks_no_event_loop(tmp_path, docs) -> None:
    with blockbuster_ctx("agent"):
        base = await KnowledgeBase.open(tmp_path / "index", hashing())
        await base.index(docs)
        assert names(await base.search("Utrecht"))[0] == "stores.txt"
        await base.close()


def test_works_from_several_event_loops(tmp_path, docs, embedder) -> None:
    base = asyncio.run(KnowledgeBase.open(tmp_path / "index", embedder))
    asyncio.run(base.index(docs))
    assert names(asyncio.run(base.search("Utrecht")))[0] == "stores.txt"

    async def both() -> None:
        in_other_loops = (asyncio.to_thread(lambda: asyncio.run(base.search("Utrecht"))) for _ in range(4))
        found = await asyncio.gather(base.search("Utrecht"), *in_other_loops, base.index(docs))
        assert all(names(passages)[0] == "stores.txt" for passages in found[:-1])

    asyncio.run(both())
    asyncio.run(base.close())


@pytest.mark.parametrize(
    ("query", "document"),
    [("礼品卡的有效期", "zh_cards.md"), ("多久可以退货", "zh_returns.md"), ("返品", "ja.md"), ("반품 기간", "ko.md")],
)
async def test_finds_words_that_no_spaces_tell_apart(tmp_path, query, document) -> None:
    texts = {
        "zh_cards.md": "礼品卡自购买之日起五年内有效。",
        "zh_returns.md": "您可以在收货后三十天内退货。",
        "ja.md": "配達から三十日以内に返品できます。",
        "ko.md": "배송 후 삼십일 이내에 반품할 수 있습니다.",
    }
    base = await KnowledgeBase.open(tmp_path / "index", None)
    await base.index(write(tmp_path / "docs", texts))
    assert [passage.document for passage in await base.search(query)] == [document]
    await base.close()
