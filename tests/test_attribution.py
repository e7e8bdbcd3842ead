from __future__ import annotations

import pytest

from agent.attribution import attributed

SOURCES = {
    4: {"text": "You can return an item within 30 days of delivery, for any reason."},
    5: {"text": "We answer within 30 working days of your letter."},
}


@pytest.mark.parametrize("named", [4, 5, None])
def test_a_sentence_is_attributed_to_the_passage_that_it_copies(named):
    assert attributed("You can return an item within 30 days of delivery.", named, SOURCES) == 4


@pytest.mark.parametrize("named", [4, 5, None])
def test_a_sentence_in_other_words_keeps_the_source_that_its_writer_named(named):
    assert attributed("Send things back during the first month, please.", named, SOURCES) == named


def test_a_passage_that_fits_hardly_better_does_not_take_the_place_of_the_named_one():
    alike = {
        1: {"text": "The shop opens at nine on Monday."},
        2: {"text": "The shop opens at nine on weekdays, Monday too."},
    }
    assert attributed("The shop opens at nine on Monday.", 2, alike) == 2


@pytest.mark.parametrize("text", ["", "…", " . "])
def test_a_sentence_without_words_keeps_what_was_named(text):
    assert attributed(text, 5, SOURCES) == 5
    assert attributed(text, None, {}) is None
