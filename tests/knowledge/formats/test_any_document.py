"""Whatever a document holds: its passages are quotes of it, or it is said why there are none."""

import io
import random
import re
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.knowledge.chunks import LIMIT, LONGEST_HEADING, OVERLAP, Chunk
from agent.knowledge.formats import KINDS, Unreadable, split
from agent.untrusted import visible

DATA = Path(__file__).parent / "data"
QUOTED = ["markdown", "text", "code", "csv", "jsonl"]

SENTENCE = "The quick brown fox jumps over the lazy dog. "

BLOCKS = st.sampled_from(
    [
        "# Title",
        "## Section",
        "### Part › of it",
        "Underlined\n==========",
        "Also underlined\n---------------",
        "---",
        "---\ntitle: Front\n---",
        SENTENCE * 3,
        SENTENCE * 40,
        "word" * 500,
        "- item\n- item\n  - deeper\n\n  in the item",
        "\n".join(f"{n}. {SENTENCE}" for n in range(1, 40)),
        "| a | b |\n| - | - |\n" + "\n".join(f"| {n} | {SENTENCE} |" for n in range(40)),
        "```python\n" + "def f():\n    return 1\n\n" * 60 + "```",
        "```\nnever closed",
        "> quoted\n> text",
        "    indented code",
        "[reference]: https://example.com",
        "<div>\n\n</div>",
        "日本語の文章です。" * 120,
        "\t\v\f\x1c\x85\u2028",
        "\0",
        "class A:\n    @property\n    def b(self):\n        return 1\n\n\nX = 1",
        'id,name\n1,"two\nlines"\n2,x',
        '{"a": [1, {"b": "c"}]}',
        "<p hidden>no</p><ul><li>a<li>b</ul>",
    ]
)
DOCUMENTS = st.one_of(
    st.text(),
    st.lists(st.one_of(BLOCKS, st.text()), max_size=12).flatmap(
        lambda blocks: st.sampled_from(["\n\n", "\n", "\r\n\r\n", "\r"]).map(lambda gap: gap.join(blocks))
    ),
)


def chunks_of(content: bytes, kind: str) -> list[Chunk]:
    try:
        return split(content, "notes.txt", kind)
    except Unreadable:
        return []


@pytest.mark.parametrize("kind", QUOTED)
class TestAnyText:
    @given(document=DOCUMENTS)
    def test_is_given_back_whole_by_offsets_and_lines(self, kind, document: str) -> None:
        given, document = document, re.sub("[\v\f\x85\u2028\u2029]", " ", document)
        lines = [visible(line) for line in re.split(r"\r\n?|\n", document)]
        document = visible(document)
        assume(len(lines) == len(re.split(r"\r\n?|\n", document)))  # "\r\0\n" is the exception
        covered = bytearray(len(document))
        for chunk in split(given.encode(), "notes.txt", kind):
            assert chunk.text == document[chunk.start : chunk.end] == chunk.text.strip() != ""
            first, *_, last = re.split(r"\r\n?|\n", chunk.text) * 2
            assert first in lines[chunk.first_line - 1]
            assert last in lines[chunk.last_line - 1]
            covered[chunk.start : chunk.end] = b"x" * len(chunk.text)
        assert all(seen or character.isspace() for seen, character in zip(covered, document, strict=True))

    @given(document=DOCUMENTS)
    def test_gives_bounded_passages_that_overlap_a_little_at_most(self, kind, document: str) -> None:
        chunks = split(document.encode(), "notes.txt", kind)
        for chunk in chunks:
            assert len(chunk.text) <= LIMIT
            assert 0 < len(chunk.title) <= LONGEST_HEADING
        for before, after in pairwise(chunks):
            assert before.start < after.start
            assert before.end - after.start <= (OVERLAP if before.heading == after.heading else 0)


@pytest.mark.parametrize("kind", QUOTED)
def test_a_form_feed_begins_no_line(kind) -> None:
    [*_, last] = split(f"one,1\n\f\n{'word,1' * 200}\f\nlast,1".encode(), "notes.txt", kind)
    assert (last.text[-6:], last.last_line) == ("last,1", 4)


@pytest.mark.parametrize("kind", KINDS)
class TestAnyBytes:
    @given(content=st.binary())
    def test_are_read_or_unreadable(self, kind, content: bytes) -> None:
        chunks_of(content, kind)

    @given(document=DOCUMENTS)
    def test_of_text_are_read_or_unreadable(self, kind, document: str) -> None:
        for before, after in pairwise(chunks_of(document.encode(), kind)):
            assert before.start < after.start

    @pytest.mark.parametrize(
        "start", [b"%PDF-1.7\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"<!DOCTYPE html>", b"[", b"\xff\xfe"]
    )
    def test_behind_any_mark_are_read_or_unreadable(self, kind, start: bytes) -> None:
        chunks_of(start + random.Random(1).randbytes(5000), kind)


def damaged(content: bytes, seed: int) -> bytes:
    dice = random.Random(seed)
    mangled = bytearray(content[: dice.choice([None, len(content) // 2])])
    for _ in range(dice.randint(0, 30)):
        mangled[dice.randrange(len(mangled))] = dice.randrange(256)
    return bytes(mangled)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_pdf_is_read_or_unreadable(seed: int) -> None:
    chunks_of(damaged((DATA / "handbook.pdf").read_bytes(), seed), "pdf")


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_word_document_is_read_or_unreadable(seed: int) -> None:
    packed = io.BytesIO()
    xml = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p/></w:body></w:document>'
    with ZipFile(packed, "w") as parts:
        parts.writestr("word/document.xml", damaged(xml, seed))
    chunks_of(packed.getvalue(), "docx")
    chunks_of(damaged(packed.getvalue(), seed), "docx")
