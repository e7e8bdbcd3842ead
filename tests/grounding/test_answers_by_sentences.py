"""Where sentences end, and what is left of their marks."""

from __future__ import annotations

import pytest

from agent.grounding.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It takes 5. Then it is sent.", ["It takes 5.", "Then it is sent."]),
        ("Am 3. Oktober ist zu. Danach nicht.", ["Am 3. Oktober ist zu.", "Danach nicht."]),
        ("Am 24. Dezember in Berlin.", ["Am 24. Dezember in Berlin."]),
        ("Es gilt bis 3. [1] Danach nicht.", ["Es gilt bis 3.", "Danach nicht."]),
        ("Free. [1, 2, 3, 4, 5, 6, 7, 8, 9] Then not.", ["Free.", "Then not."]),
        ("Seit 2024. Danach nicht.", ["Seit 2024.", "Danach nicht."]),
        ("Siehe Art. 5 und Fig. 2.", ["Siehe Art. 5 und Fig. 2."]),
        ("Ab ca. 5 kg ist es z. B. teurer.", ["Ab ca. 5 kg ist es z. B. teurer."]),
        ("Zwrot jest darmowy [1]. Łódź ma sklep.", ["Zwrot jest darmowy.", "Łódź ma sklep."]),
        ("Возврат бесплатен [1]. Доставка стоит 5 евро.", ["Возврат бесплатен.", "Доставка стоит 5 евро."]),
        (
            "返品は無料です[1]。「三日」です。[2]送料は有料です。",
            ["返品は無料です。", "「三日」です。", "送料は有料です。"],
        ),
        ("* It is **5** *x*, 3 * 4 and 2*3.", ["It is 5 x, 3 * 4 and 2*3."]),
    ],
)
def test_a_text_is_taken_sentence_by_sentence(text, expected):
    assert [sentence.text for sentence in sentences(text)] == expected


@pytest.mark.parametrize("fence", ["```", "````sh", "~~~"])
@pytest.mark.parametrize(("before", "indent"), [("", ""), ("- ", "  "), ("1. Run it.\n\n    ", "    "), ("> ", "> ")])
def test_code_is_left_out_and_what_follows_it_is_not(fence, before, indent):
    code = f"{before}{fence}\n{indent}wait(99)\n{indent}{fence.removesuffix('sh')}\n{indent}It takes 3 days [1]."
    *_, last = sentences(code)
    assert (last.text, last.cited) == ("It takes 3 days.", (1,))
    assert not any("99" in sentence.text for sentence in sentences(code))


def test_what_looks_like_a_citation_in_code_is_none():
    [sentence] = sentences("Set `rows[2]` or `max_rows` [1].")
    assert (sentence.text, sentence.cited) == ("Set rows or max_rows.", (1,))


# Where time grew by the square of the length, this would take minutes.
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "text", ["!" * 100_000, "。" * 100_000, "a. [1" + ",1" * 50_000, "a. [1," * 20_000, "a. " * 30_000]
)
def test_hostile_text_is_soon_read(text):
    assert list(sentences(text))
