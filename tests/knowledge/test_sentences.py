"""The sentences of a passage that matter to a query."""

from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge.passages import telling_sentences

TEXT = "# Returns\n\nWe sell tents. A label costs 4.90 EUR. Send it back within 30 days. We are closed on Sunday."


def test_the_sentences_with_most_words_of_the_query_stay_in_their_order_under_their_heading():
    assert telling_sentences(TEXT, "days to send a label", 2) == (
        "# Returns\n\n… A label costs 4.90 EUR. Send it back within 30 days. …"
    )
    assert telling_sentences(TEXT, "Sunday tents", 2) == "# Returns\n\nWe sell tents. … We are closed on Sunday."


def test_paragraphs_stay_apart():
    text = "Send it back.\n\nIt costs 4.90 EUR.\n \nWe are closed."
    assert telling_sentences(text, "back costs", 2) == "Send it back.\n\nIt costs 4.90 EUR. …"
    assert telling_sentences(text, "back closed", 2) == "Send it back. …\n \nWe are closed."


def test_a_text_with_no_more_sentences_than_wanted_stays_as_it_is():
    assert telling_sentences(TEXT, "label", 4) is TEXT


@given(st.text("ab .!\n#。", max_size=80), st.text("ab ", max_size=10), st.integers(1, 4))
def test_nothing_is_made_up(text, query, most):
    for piece in telling_sentences(text, query, most).split("…"):
        assert piece.strip() in text
