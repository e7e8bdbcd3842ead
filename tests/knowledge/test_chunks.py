import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge.chunks import (
    LIMIT,
    LONGEST_HEADING,
    OVERLAP,
    SPLITTERS,
    Chunk,
    Undecodable,
    decoded,
    keyed,
    split_markdown,
    split_text,
)

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
    ]
)
DOCUMENTS = st.one_of(
    st.text(),
    st.lists(st.one_of(BLOCKS, st.text()), max_size=12).flatmap(
        lambda blocks: st.sampled_from(["\n\n", "\n", "\r\n\r\n", "\r"]).map(lambda gap: gap.join(blocks))
    ),
)


def headings(chunks: list[Chunk]) -> list[str]:
    return [chunk.heading for chunk in chunks]


@pytest.mark.parametrize("split", [split_markdown, split_text])
class TestAnyText:
    @given(document=DOCUMENTS)
    def test_is_given_back_whole_by_offsets_and_lines(self, split, document: str) -> None:
        covered = bytearray(len(document))
        lines = re.split(r"\r\n?|\n", document)
        for chunk in split(document, "notes.txt"):
            assert chunk.text == document[chunk.start : chunk.end] == chunk.text.strip() != ""
            assert chunk.text.splitlines()[0] in lines[chunk.first_line - 1]
            assert re.split(r"\r\n?|\n", chunk.text)[-1] in lines[chunk.last_line - 1]
            covered[chunk.start : chunk.end] = b"x" * len(chunk.text)
        assert all(seen or character.isspace() for seen, character in zip(covered, document, strict=True))

    @given(document=DOCUMENTS)
    def test_gives_bounded_passages_that_overlap_a_little_at_most(self, split, document: str) -> None:
        chunks = split(document, "notes.txt")
        for chunk in chunks:
            assert len(chunk.text) <= LIMIT
            assert 0 < len(chunk.title) <= LONGEST_HEADING
            assert chunk.embedded.endswith(f"\n{chunk.text}")
        for before, after in pairwise(chunks):
            assert before.start < after.start
            assert before.end - after.start <= (OVERLAP if before.heading == after.heading else 0)

    @given(document=st.text(alphabet=st.characters(categories=["Cs", "L", "Zs", "Po"])))
    def test_may_hold_broken_surrogates(self, split, document: str) -> None:
        assert "".join("".join(chunk.text.split()) for chunk in split(document, "x.md")) == "".join(document.split())


class TestMarkdown:
    def test_keeps_title_heading_path_and_place(self) -> None:
        document = (
            "# Care *guide*\n\nIntro.\n\n## `Washing`\n\nCold.\n\n### Down\n\nSlowly.\n\n## Drying\n\nIn the shade."
        )
        chunks = split_markdown(document, "care.md")
        assert {chunk.title for chunk in chunks} == {"Care guide"}
        assert headings(chunks) == ["", "Washing", "Washing › Down", "Drying"]
        assert chunks[2].text == "### Down\n\nSlowly."
        assert (chunks[2].first_line, chunks[2].last_line) == (9, 11)
        assert chunks[2].embedded == "Care guide › Washing › Down\n### Down\n\nSlowly."

    def test_joins_small_blocks_of_a_section(self) -> None:
        document = "# A\n\nOne.\n\nTwo.\n\n- three\n- four\n\n```\nfive\n```"
        assert [chunk.text for chunk in split_markdown(document, "a.md")] == [document]

    def test_never_joins_sections(self) -> None:
        assert len(split_markdown("# A\n\n## B\n\nb\n\n## C\n\nc", "a.md")) == 2

    def test_a_heading_with_nothing_but_a_deeper_one_opens_that_section(self) -> None:
        chunks = split_markdown("# A\n\n## B\n\n### C\n\nText.\n\n## D\n\n## E", "a.md")
        assert [(chunk.heading, chunk.text) for chunk in chunks] == [
            ("B › C", "# A\n\n## B\n\n### C\n\nText."),
            ("D", "## D"),
            ("E", "## E"),
        ]

    def test_a_table_that_fits_stays_whole(self) -> None:
        table = "| a | b |\n| - | - |\n" + "\n".join(f"| {n} | value |" for n in range(30))
        chunks = split_markdown(f"# T\n\n{SENTENCE * 10}\n\n{table}", "t.md")
        assert chunks[-1].text == table

    def test_a_long_table_is_cut_between_rows(self) -> None:
        rows = [f"| {n} | {SENTENCE}|" for n in range(60)]
        chunks = split_markdown("# T\n\n| a | b |\n| - | - |\n" + "\n".join(rows), "t.md")
        assert len(chunks) > 3
        assert [line for chunk in chunks for line in chunk.text.splitlines()][4:] == rows

    def test_a_long_list_is_cut_between_items(self) -> None:
        items = [f"- {SENTENCE}{SENTENCE}" for _ in range(40)]
        for chunk in split_markdown("\n".join(items), "l.md"):
            assert chunk.text.startswith("- ")
            assert chunk.text.endswith("dog.")

    def test_a_long_paragraph_is_cut_at_sentences_and_overlaps(self) -> None:
        chunks = split_markdown(SENTENCE * 60, "p.md")
        for before, after in pairwise(chunks):
            assert before.text.endswith("dog.")
            assert after.text.startswith("The quick")
            assert 0 < before.end - after.start <= OVERLAP

    def test_long_code_is_cut_at_lines(self) -> None:
        code = "\n".join(f"value_{n} = compute(the, arguments, {n})" for n in range(80))
        for chunk in split_markdown(f"```python\n{code}\n```", "c.md"):
            assert all(line.startswith(("value_", "```")) for line in chunk.text.splitlines())
            assert all(line.endswith((")", "```", "```python")) for line in chunk.text.splitlines())

    def test_no_heading_is_left_alone_by_a_long_block(self) -> None:
        chunks = split_markdown(f"## Heading\n\n{SENTENCE * 30}", "h.md")
        assert all(len(chunk.text) > 150 for chunk in chunks)

    def test_a_hash_in_code_is_no_heading(self) -> None:
        assert headings(split_markdown("# A\n\n```\n# comment\n```\n\n    # indented\n", "a.md")) == [""]

    def test_setext_headings_count(self) -> None:
        assert headings(split_markdown("A\n=\n\nx\n\nB\n-\n\ny", "a.md")) == ["", "B"]

    @pytest.mark.parametrize(
        ("document", "title"),
        [
            ("---\ntitle: 'From the front'\ntags: [a]\n---\n# Heading\n\nText.", "From the front"),
            ("---\r\ntitle: Windows\r\n---\r\nText.", "Windows"),
            ("---\n\nNot front matter: a rule.\n\n---\n\n# Heading", "Heading"),
            ("## Second level first\n\nText.", "Second level first"),
            ("A first line\n\nText.", "A first line"),
            ("A paragraph that\ngoes on.", "notes"),
            ("", None),
            (" \n\t\n", None),
        ],
    )
    def test_title(self, document: str, title: str | None) -> None:
        assert next((chunk.title for chunk in split_markdown(document, "docs/notes.md")), None) == title


class TestPlainText:
    def test_underlined_lines_are_headings(self) -> None:
        document = "Stores\n======\n\nThree.\n\nUtrecht\n-------\n\nOpen.\n\nSunday\n~~~~~~\n\nTill five.\n\nGhent\n-----\nShut."
        chunks = split_text(document, "stores.txt")
        assert headings(chunks) == ["", "Utrecht", "Utrecht › Sunday", "Ghent"]
        assert {chunk.title for chunk in chunks} == {"Stores"}
        assert chunks[-1].text == "Ghent\n-----\nShut."

    def test_overlined_headings_keep_their_line(self) -> None:
        chunks = split_text("=====\nTitle\n=====\n\nText.\n\nNext\n----\n\nMore.", "t.rst")
        assert [chunk.text for chunk in chunks] == ["=====\nTitle\n=====\n\nText.", "Next\n----\n\nMore."]

    @pytest.mark.parametrize(
        "document", ["text in\na paragraph\n---", "a\n--", "---\n---", f"{'long ' * 40}\n====", "# Hash\n\ntext"]
    )
    def test_other_lines_are_not(self, document: str) -> None:
        assert headings(split_text(document, "n.txt")) == [""]

    def test_a_long_text_is_cut_between_paragraphs(self) -> None:
        paragraphs = [SENTENCE * 5 + str(n) for n in range(20)]
        chunks = split_text("\n\n".join(paragraphs), "n.txt")
        assert "\n\n".join(chunk.text for chunk in chunks) == "\n\n".join(paragraphs)


class TestDecoding:
    @pytest.mark.parametrize(
        ("content", "text"),
        [
            ("Grüße €".encode(), "Grüße €"),
            ("Grüße €".encode("utf-8-sig"), "Grüße €"),
            ("Grüße €".encode("utf-16"), "Grüße €"),
            (b"\xfe\xff" + "Grüße €".encode("utf-16-be"), "Grüße €"),
            ("Grüße €".encode("cp1252"), "Grüße €"),
            (b"line\r\nline", "line\r\nline"),
            (b"", ""),
        ],
    )
    def test_of_text(self, content: bytes, text: str) -> None:
        assert decoded(content) == text

    @pytest.mark.parametrize("content", [b"\x89PNG\0\xff", b"\xff\xfe\x00", b"undefined in cp1252: \x81\xff"])
    def test_of_anything_else_fails(self, content: bytes) -> None:
        with pytest.raises(Undecodable, match="UTF-8"):
            decoded(content)


class TestKeys:
    def test_stay_for_what_stays_and_differ_for_the_same_text_again(self) -> None:
        before = split_markdown("# A\n\nx\n\n## B\n\nsame\n\n## B\n\nsame", "a.md")
        after = split_markdown("# A\n\nother\n\n## B\n\nsame\n\n## B\n\nsame", "a.md")
        old, new = keyed(before, "default", "a.md"), keyed(after, "default", "a.md")
        assert len(old) == len(new) == 3
        assert len(old.keys() & new.keys()) == 2
        assert not old.keys() & keyed(before, "other", "a.md").keys()


def test_every_ending_has_a_splitter() -> None:
    assert {ending: splitter is split_markdown for ending, splitter in SPLITTERS.items()} == {
        ".md": True,
        ".markdown": True,
        ".txt": False,
        ".text": False,
        ".rst": False,
    }
