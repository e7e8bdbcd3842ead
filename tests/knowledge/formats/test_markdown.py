from itertools import pairwise

import pytest

from agent.knowledge.chunks import OVERLAP, Chunk
from agent.knowledge.formats import split

SENTENCE = "The quick brown fox jumps over the lazy dog. "


def split_markdown(document: str, name: str) -> list[Chunk]:
    return split(document.encode(), name, "markdown")


def headings(chunks: list[Chunk]) -> list[str]:
    return [chunk.heading for chunk in chunks]


def test_keeps_title_heading_path_and_place() -> None:
    document = "# Care *guide*\n\nIntro.\n\n## `Washing`\n\nCold.\n\n### Down\n\nSlowly.\n\n## Drying\n\nIn the shade."
    chunks = split_markdown(document, "care.md")
    assert {chunk.title for chunk in chunks} == {"Care guide"}
    assert headings(chunks) == ["", "Washing", "Washing › Down", "Drying"]
    assert chunks[2].text == "### Down\n\nSlowly."
    assert (chunks[2].first_line, chunks[2].last_line) == (9, 11)
    assert chunks[2].embedded == "Care guide › Washing › Down\n### Down\n\nSlowly."


def test_joins_small_blocks_of_a_section() -> None:
    document = "# A\n\nOne.\n\nTwo.\n\n- three\n- four\n\n```\nfive\n```"
    assert [chunk.text for chunk in split_markdown(document, "a.md")] == [document]


def test_never_joins_sections() -> None:
    assert len(split_markdown("# A\n\n## B\n\nb\n\n## C\n\nc", "a.md")) == 2


def test_a_heading_with_nothing_but_a_deeper_one_opens_that_section() -> None:
    chunks = split_markdown("# A\n\n## B\n\n### C\n\nText.\n\n## D\n\n## E", "a.md")
    assert [(chunk.heading, chunk.text) for chunk in chunks] == [
        ("B › C", "# A\n\n## B\n\n### C\n\nText."),
        ("D", "## D"),
        ("E", "## E"),
    ]


def test_a_table_that_fits_stays_whole() -> None:
    table = "| a | b |\n| - | - |\n" + "\n".join(f"| {n} | value |" for n in range(30))
    chunks = split_markdown(f"# T\n\n{SENTENCE * 10}\n\n{table}", "t.md")
    assert chunks[-1].text == table


def test_a_long_table_is_cut_between_rows() -> None:
    rows = [f"| {n} | {SENTENCE}|" for n in range(60)]
    chunks = split_markdown("# T\n\n| a | b |\n| - | - |\n" + "\n".join(rows), "t.md")
    assert len(chunks) > 3
    assert [line for chunk in chunks for line in chunk.text.splitlines()][4:] == rows


def test_a_long_list_is_cut_between_items() -> None:
    items = [f"- {SENTENCE}{SENTENCE}" for _ in range(40)]
    for chunk in split_markdown("\n".join(items), "l.md"):
        assert chunk.text.startswith("- ")
        assert chunk.text.endswith("dog.")


def test_a_long_paragraph_is_cut_at_sentences_and_overlaps() -> None:
    chunks = split_markdown(SENTENCE * 60, "p.md")
    for before, after in pairwise(chunks):
        assert before.text.endswith("dog.")
        assert after.text.startswith("The quick")
        assert 0 < before.end - after.start <= OVERLAP


def test_long_code_is_cut_at_lines() -> None:
    code = "\n".join(f"value_{n} = compute(the, arguments, {n})" for n in range(80))
    for chunk in split_markdown(f"```python\n{code}\n```", "c.md"):
        assert all(line.startswith(("value_", "```")) for line in chunk.text.splitlines())
        assert all(line.endswith((")", "```", "```python")) for line in chunk.text.splitlines())


def test_no_heading_is_left_alone_by_a_long_block() -> None:
    chunks = split_markdown(f"## Heading\n\n{SENTENCE * 30}", "h.md")
    assert all(len(chunk.text) > 150 for chunk in chunks)


def test_a_hash_in_code_is_no_heading() -> None:
    assert headings(split_markdown("# A\n\n```\n# comment\n```\n\n    # indented\n", "a.md")) == [""]


def test_setext_headings_count() -> None:
    assert headings(split_markdown("A\n=\n\nx\n\nB\n-\n\ny", "a.md")) == ["", "B"]


@pytest.mark.parametrize(
    ("document", "title"),
    [
        ("---\ntitle: 'From the front'\ntags: [a]\n---\n# Heading\n\nText.", "From the front"),
        ("---\r\ntitle: Windows\r\n---\r\nText.", "Windows"),
        ('---\ntitle: "What\'s" new  \n---\nText.', '"What\'s" new'),
        ('---\ntitle: "\n---\nText.', '"'),
        (f"---\ntitle: a{' ' * 400_000}b\n---\nText.", "a b"),
        ("---\n\nNot front matter: a rule.\n\n---\n\n# Heading", "Heading"),
        ("## Second level first\n\nText.", "Second level first"),
        ("A first line\n\nText.", "A first line"),
        ("A paragraph that\ngoes on.", "notes"),
        ("", None),
        (" \n\t\n", None),
    ],
)
def test_title(document: str, title: str | None) -> None:
    assert next((chunk.title for chunk in split_markdown(document, "docs/notes.md")), None) == title
