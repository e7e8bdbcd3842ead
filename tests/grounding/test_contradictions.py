"""Which passages contradict each other, and which only look like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.grounding.contradictions import contradictions
from agent.knowledge.formats import kind_of, split

DOCS = Path(__file__).parents[2] / "examples" / "shop" / "docs"


def passage(number, title, text, heading=""):
    where = {"page": None, "first_line": None, "last_line": None, "uri": title, "score": 0.5, "id": ""}
    return {"number": number, "document": title, "title": title, "heading": heading, "text": text, **where}


def found(*passages):
    sources = [passage(number, *each) for number, each in enumerate(passages, start=1)]
    return [(each.first, each.second, each.said, each.otherwise) for each in contradictions(sources)]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            ("Returns", "You can return an item within 30 days of delivery, for any reason."),
            ("Returns 2023", "Items can be returned within 60 days of delivery."),
            ("30 days", "60 days"),
        ),
        (
            ("Delivery", "Express delivery costs 12.50 EUR and is offered in zone 1."),
            ("Prices", "Express delivery costs 15.00 EUR."),
            ("12.50 EUR", "15.00 EUR"),
        ),
        (
            ("Manual", "| Property | Value |\n| --- | --- |\n| Maximum speed | 25 km/h |", "Data"),
            ("Data sheet", "| Property | Value |\n| --- | --- |\n| Maximum speed | 20 km/h |", "Data"),
            ("25 km/h", "20 km/h"),
        ),
        (
            ("Contract", "The notice period is 3 months."),
            ("Handbook", "Notice period: 6 months"),
            ("3 months", "6 months"),
        ),
        (
            ("Returns", "We pay your money back within 7 days of receiving the parcel.", "Refunds"),
            ("Service", "We pay your money back within 9 days of receiving the parcel.", "Refunds"),
            ("7 days", "9 days"),
        ),
        (
            ("Lieferung", "Die Lieferung dauert 3 Tage."),
            ("Versand", "Die Lieferung dauert 5 Tage."),
            ("3 Tage", "5 Tage"),
        ),
    ],
)
def test_another_number_for_the_same_is_a_contradiction(one, other, said):
    assert found(one, other) == [(1, 2, *said)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("A", "Tents have a warranty of 5 years."), ("B", "Backpacks have a warranty of 6 years.")),
        (("A", "The notice period is 3 months."), ("B", "The notice period is 4 weeks during probation.")),
        (("A", "The notice period is 12 months."), ("B", "The notice period is 1 year.")),
        (("A", "Standard delivery costs 5.50 EUR."), ("B", "Standard delivery takes 3 days.")),
        (("A", "Delivery to Norway takes 9 days."), ("B", "Delivery to Italy takes 6 days.")),
        (("House A", "The deposit is 900 EUR.", "Deposit"), ("House B", "The deposit is 1,100 EUR.", "Deposit")),
        (
            ("E-bike City", "Battery capacity: 400 Wh.", "Battery"),
            ("E-bike Trail", "Battery capacity: 625 Wh.", "Battery"),
        ),
        (("Zelt Reiher", "Die Garantie beträgt 2 Jahre."), ("Zelt Milan", "Die Garantie beträgt 3 Jahre.")),
        (("Tente Héron", "Le prix est de 129 €."), ("Sac Milan", "Le prix est de 199 €.")),
        (
            ("Heron tent", "The warranty covers manufacturing defects for 2 years."),
            ("Kite backpack", "The warranty covers manufacturing defects for 5 years."),
        ),
        (
            ("Catalogue", "The floor of the cabin carries 50 kg.", "Heron tent"),
            ("Brochure", "The floor of the cabin carries 80 kg.", "Kite tent"),
        ),
        (
            ("Lamp", "Net weight: 200 g.", "Data"),
            ("Speaker", "Net weight: 300 g.", "Data"),
        ),
        (("Setup", "Step 1: wait 5 minutes."), ("Setup guide", "Step 2: wait 10 minutes.")),
        (("A", "It costs 1,100 EUR a year."), ("B", "It costs 1100 EUR a year.")),
        (("A", "A return takes at least 5 days."), ("B", "A return takes at most 9 days.")),
    ],
)
def test_two_subjects_two_units_and_two_forms_of_a_number_are_none(one, other):
    assert found(one, other) == []


def test_one_document_does_not_contradict_itself():
    said = ("The fee is 5 EUR for the first bag.", "The fee is 9 EUR for the first bag.")
    assert found(("Fees", said[0]), ("Fees", said[1])) == []
    assert len(found(("Fees", said[0]), ("Prices", said[1]))) == 1


def test_all_documents_of_the_example_company_agree():
    sources = []
    for path in sorted(DOCS.iterdir()):
        for chunk in split(path.read_bytes(), path.name, kind_of(path.name)):
            sources.append(passage(len(sources) + 1, chunk.title, chunk.text, chunk.heading) | {"uri": path.name})
    assert len(sources) > 100
    assert contradictions(sources) == []
