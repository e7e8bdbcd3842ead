"""The example company's documents: good queries find the passages that answer."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import ModelUnavailable
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder, open_embedder
from tests.support.documents import names

SHOP = Path(__file__).parents[2] / "examples" / "shop"


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


def place(heading: str, page: int | None = None, lines: tuple[int, int] | None = None) -> dict[str, object]:
    first, last = lines or (None, None)
    return {"heading": heading, "page": page, "first_line": first, "last_line": last}


# For a document of each format: a query, words of the passage that answers, and where that stands.
PLACES = {
    "gift-cards.md": ("gift card valid", "valid for 5 years", place("How long a gift card is valid", lines=(15, 17))),
    "stores.txt": ("Utrecht store Sunday", "Sunday from 12:00 to 17:00", place("Utrecht", lines=(8, 14))),
    "sustainability.html": ("plastic in parcels", "Parcels contain no plastic", place("Packaging")),
    "sizing-guide.docx": ("boots foot length EU size", "in hiking socks", place("Boots and shoes")),
    "manual-ember-stove.pdf": ("Ember stove boiling time 1 litre", "3 minutes 40", place("Specification", page=2)),
    "product-data.csv": (
        "Stoat 28 daypack weight_g material",
        "Stoat 28 daypack (PCK-028),790,,nylon,Portugal",
        place("Columns: product, weight_g, packed_size, material, made_in", lines=(12, 23)),
    ),
    "frequently-asked-questions.jsonl": ("wrap a present", "In the stores, free of charge", place("", lines=(7, 9))),
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
        assert (len(report.added), report.failed, report.skipped) == (len(list((SHOP / "docs").iterdir())), [], [])
        return base

    base = asyncio.run(indexed())
    yield base
    asyncio.run(base.close())


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["question"])
async def test_good_queries_find_the_passages_that_answer(shop, question) -> None:
    for query, document, words in zip(
        QUERIES[question["question"]], question["needs"], question["support"], strict=True
    ):
        found = await shop.search(query)
        assert any(plain(words) in plain(passage.text) for passage in found if passage.document == document), query


@pytest.mark.parametrize("name", PLACES)
async def test_every_format_is_found_and_cited_with_its_place(shop, name) -> None:
    query, words, place = PLACES[name]
    [passage] = [found for found in await shop.search(query) if plain(words) in plain(found.text)]
    assert passage.document == name
    assert passage.uri == str(SHOP / "docs" / name)
    assert passage.model_dump(include={"heading", "page", "first_line", "last_line"}) == place
    if lines := place["last_line"]:
        assert passage.text in "\n".join((SHOP / "docs" / name).read_text("utf-8").splitlines()[:lines])


def test_every_format_of_the_documents_has_such_a_place() -> None:
    assert {Path(name).suffix for name in PLACES} == {path.suffix for path in (SHOP / "docs").iterdir()}


async def test_the_questions_themselves_find_the_documents(shop) -> None:
    missed = [
        (question["question"], document)
        for question in ANSWERABLE
        for document in question["needs"]
        if document not in names(await shop.search(question["question"]))
    ]
    assert missed == []


def plain(text: str) -> str:
    return " ".join(text.split())
