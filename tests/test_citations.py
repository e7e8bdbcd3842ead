from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.citations import LONGEST_CITATION, CitationCheck

answers = st.lists(
    st.sampled_from(
        [
            "Returns ",
            "[1]",
            "[2]",
            "[99]",
            " [7]",
            "[1, 99]",
            "`x[9]`",
            "``",
            "[1 [9]",
            ", 99]",
            "```\na[9]\n```",
            "~~~\na[9]\n~~~",
            "~",
            "\n",
            ".",
            "[",
            "]",
            "[12",
            " ",
            "é",
        ]
    ),
    max_size=20,
).map("".join)


def checked(pieces, known=(1, 2)):
    check = CitationCheck(set(known))
    return "".join([*map(check.feed, pieces), check.finish()]), check


@pytest.mark.parametrize(
    ("written", "shown", "cited", "removed"),
    [
        ("Free for 30 days [1].", "Free for 30 days [1].", [1], 0),
        ("Free for 30 days [99].", "Free for 30 days.", [], 1),
        ("Free [1, 99] and [2][1].", "Free [1] and [2][1].", [1, 2], 1),
        ("All [1, 2, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99].", "All [1, 2].", [1, 2], 10),
        ("Free [1, 1].", "Free [1].", [1], 0),
        ("[98] [99] nothing", " nothing", [], 2),
        ("see [a], [1-2] and [1", "see [a], [1-2] and [1", [], 0),
        ("`rows[9]` and rows[9]", "`rows[9]` and rows", [], 1),
        ("```\nrows[9]\n```\n[9]", "```\nrows[9]\n```\n", [], 1),
        ("~~~\nrows[9]\n```\nrows[9]\n~~~\n[9]", "~~~\nrows[9]\n```\nrows[9]\n~~~\n", [], 1),
        ("``rows[9]`` and ``a`b[9]`` [1]", "``rows[9]`` and ``a`b[9]`` [1]", [1], 0),
        ("````\n```\nrows[9]\n```\nrows[9]\n````\n[9]", "````\n```\nrows[9]\n```\nrows[9]\n````\n", [], 1),
        ("- ```\n  rows[9]\n  ```\n- Free [1, 9]", "- ```\n  rows[9]\n  ```\n- Free [1]", [1], 1),
        ("```rows[9]``` in ~~~ 5 days [1, 9]", "```rows[9]``` in ~~~ 5 days [1]", [1], 1),
        ("an odd ` here\nand [9] there", "an odd ` here\nand there", [], 1),
    ],
)
def test_only_numbers_of_known_passages_stay(written, shown, cited, removed):
    text, check = checked([written])
    assert (text, check.cited, check.removed) == (shown, cited, removed)


@given(answers, st.data())
def test_the_result_does_not_depend_on_how_the_text_arrives(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole, at_once = checked([text])
    streamed, by_pieces = checked(pieces)
    assert streamed == whole
    assert (by_pieces.cited, by_pieces.removed) == (at_once.cited, at_once.removed)


@given(answers)
def test_never_more_than_a_citation_is_held_back(text):
    check = CitationCheck({1})
    shown = 0
    for fed, character in enumerate(text, 1):
        shown += len(check.feed(character))
        assert fed - shown - _removed_characters(text[:fed], check) <= LONGEST_CITATION


@given(st.text(alphabet=st.characters(exclude_characters="["), max_size=200))
def test_text_without_brackets_passes_unchanged(text):
    assert checked([text])[0] == text


def _removed_characters(text, check):
    return sum(len(m[0]) for m in re.finditer(r"[ \t]*\[[0-9, ]*\]", text))
