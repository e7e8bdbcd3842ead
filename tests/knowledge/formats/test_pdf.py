from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.knowledge.formats import Unreadable, split

DATA = Path(__file__).parent / "data"
HANDBOOK = (DATA / "handbook.pdf").read_bytes()


def pdf_of(pages: int) -> bytes:
    return (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count %d>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>" % pages
    )


def test_passages_carry_title_headings_and_page() -> None:
    chunks = split(HANDBOOK, "handbook.pdf", "pdf")
    assert {chunk.title for chunk in chunks} == {"Travel handbook"}
    assert [(chunk.heading.partition("Travel › ")[2][:7], chunk.page) for chunk in chunks] == [
        ("", 1),
        ("Trains", 1),
        ("Flights", 2),
        ("Hotels", 3),
    ]
    assert {chunk.first_line or chunk.last_line for chunk in chunks} == {None}


def test_broken_words_are_joined_and_paragraphs_kept_apart() -> None:
    trains = split(HANDBOOK, "handbook.pdf", "pdf")[1]
    assert trains.text == (
        "## Trains\n\nBook second class. You find more information on the intranet.\nSeats are reserved.\n\n"
        "Night trains are welcome."
    )


def test_headers_and_footers_are_dropped() -> None:
    text = "".join(chunk.text for chunk in split(HANDBOOK, "handbook.pdf", "pdf"))
    assert "Acme handbook" not in text
    assert "Page" not in text


def test_threads_may_read_at_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(lambda _: split(HANDBOOK, "handbook.pdf", "pdf"), range(16)))
    assert all(chunks == read[0] for chunks in read)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ((DATA / "locked.pdf").read_bytes(), "protected by a password"),
        ((DATA / "picture.pdf").read_bytes(), "run OCR"),
        (HANDBOOK[:300], "damaged"),
        (b"", "no PDF"),
        (pdf_of(1), "run OCR"),
        (pdf_of(1_000_000), "1000000 pages: split it"),
    ],
)
def test_others_are_unreadable(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        split(content, "some.pdf", "pdf")
