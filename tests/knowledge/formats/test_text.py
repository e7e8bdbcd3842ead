import pytest

from agent.knowledge.chunks import Chunk
from agent.knowledge.formats import split

SENTENCE = "The quick brown fox jumps over the lazy dog. "


def split_text(document: str, name: str) -> list[Chunk]:
    return split(document.encode(), name, "text")


def headings(chunks: list[Chunk]) -> list[str]:
    return [chunk.heading for chunk in chunks]


def test_underlined_lines_are_headings() -> None:
    document = (
        "Stores\n======\n\nThree.\n\nUtrecht\n-------\n\nOpen.\n\nSunday\n~~~~~~\n\nTill five.\n\nGhent\n-----\nShut."
    )
    chunks = split_text(document, "stores.txt")
    assert headings(chunks) == ["", "Utrecht", "Utrecht › Sunday", "Ghent"]
    assert {chunk.title for chunk in chunks} == {"Stores"}
    assert chunks[-1].text == "Ghent\n-----\nShut."


def test_overlined_headings_keep_their_line() -> None:
    chunks = split_text("=====\nTitle\n=====\n\nText.\n\nNext\n----\n\nMore.", "t.rst")
    assert [chunk.text for chunk in chunks] == ["=====\nTitle\n=====\n\nText.", "Next\n----\n\nMore."]


@pytest.mark.parametrize(
    "document", ["text in\na paragraph\n---", "a\n--", "---\n---", f"{'long ' * 40}\n====", "# Hash\n\ntext"]
)
def test_other_lines_are_not(document: str) -> None:
    assert headings(split_text(document, "n.txt")) == [""]


def test_a_long_text_is_cut_between_paragraphs() -> None:
    paragraphs = [SENTENCE * 5 + str(n) for n in range(20)]
    chunks = split_text("\n\n".join(paragraphs), "n.txt")
    assert "\n\n".join(chunk.text for chunk in chunks) == "\n\n".join(paragraphs)
