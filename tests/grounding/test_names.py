"""Names: addresses, numbers to call, codes, and proper names."""

from __future__ import annotations

import pytest

from agent.grounding import names
from agent.grounding.language import reads_as_english


def found(text):
    marks = names.marks(text)
    return [mark.text for mark in marks] + [name.text for name in names.names(names.masked(text, marks))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to help@larkmoor.example.", ["help@larkmoor.example"]),
        ("See https://larkmoor.example/a_b?c=1.", ["https://larkmoor.example/a_b?c=1"]),
        ("Call +31 30 555 0142, or 030 555 0142.", ["+31 30 555 0142", "030 555 0142"]),
        ("The tent (TNT-201) and ward 3B.", ["TNT-201", "3B"]),
        ("Set QUILL_PORT first.", ["QUILL_PORT"]),
        ("It is led by Dr. Amara Osei.", ["Amara Osei"]),
        ("Gustave Eiffel built it.", ["Gustave Eiffel"]),
        ("PostNL and DHL deliver it.", ["PostNL", "DHL"]),
        ("Take the IC 2043 to Basel.", ["IC 2043", "Basel"]),
    ],
)
def test_names_are_found(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Keep the receipt.",
        "On Monday and in May you can call, and I will help.",
        "It takes 30 days, a 16-digit number and 230g.",
        "Carrier: The parcel",
        "It costs 4.90 EUR (VAT).",
        "“Return items” is the button.",
        "PLEASE DO NOT WASH IT.",
        "Unfortunately I cannot.",
    ],
)
def test_common_words_are_no_names(text):
    assert [name for name in found(text) if name != "VAT"] == []


def test_numbers_and_names_within_an_address_are_its_own():
    assert names.masked("TNT-201 5", names.marks("TNT-201 5")) == "······· 5"


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("You can return an item within 30 days of delivery.", True),
        ("It is Robert Fischer [1].", True),
        ("Der Preis beträgt 129 €.", False),
        ("Kostenloser Versand!", False),
        ("Sie können den Artikel innerhalb von 30 Tagen nach der Lieferung zurückgeben.", False),
        ("Può restituire un articolo entro 30 giorni dalla consegna.", False),
    ],
)
def test_only_english_is_held_to_its_capitals(text, english):
    assert reads_as_english(text) is english


# Where time grew by the square of the length, these would take minutes.
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "hostile",
    ["A-" * 100_000, "a@" * 100_000, "0 " * 100_000, "Ab " * 70_000, "+0" * 100_000, "a.b" * 70_000, "www." * 50_000],
)
def test_hostile_text_is_soon_read(hostile):
    found(hostile)
    names.numbered(hostile)
