"""What is flagged in an answer, given the thread before it."""

from __future__ import annotations

import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.grounding.flags import LONGEST_ANSWER, MOST_FLAGS, NOWHERE, UNSUPPORTED, flags_of
from tests.grounding.test_contradictions import passage

RETURNS = passage(1, "Returns", "You can return an item within 30 days of delivery.")
FEE = passage(2, "Return fee", "The label costs 4.90 EUR.")


def searched(*sources, call="s"):
    return ToolMessage("…", tool_call_id=call, artifact={"sources": list(sources)})


def got(value, call="g", **options):
    return ToolMessage(json.dumps(value), tool_call_id=call, **options)


def flagged(answer, *messages, question="How?", own=()):
    return [
        (flag["kind"], flag["text"], flag["detail"])
        for flag in flags_of(answer, [HumanMessage(question), *messages], own)
    ]


def test_what_a_passage_says_is_not_flagged():
    assert flagged("You have thirty days [1]; the label is €4.90 [2].", searched(RETURNS, FEE)) == []


@pytest.mark.parametrize("said", ["I'll", "I’ll", "I've", "I'd", "I'm"])
def test_what_i_am_shortened_to_is_no_name(said):
    assert flagged(f"You have 30 days [1], and {said} here to help.", searched(RETURNS)) == []


def test_a_reference_that_a_model_left_in_its_answer_is_flagged():
    assert flagged("The maker is from ${1.city}.", got({"maker": "Aspen"})) == [("name", "${1.city}", NOWHERE)]
    assert flagged("It costs ${2.price}, or $100.", got(1), question="Is it $100?") == [("name", "${2.price}", NOWHERE)]
    assert flagged("The first argument is ${1} there.", question="What is ${1} in bash?") == []


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Placed at 2025-05-05T15:00:00Z.", "It was placed at 15:00 [1]."),
        ("Placed at 2025-05-05T15:00Z.", "It was placed at 3 pm [1]."),
        ("Placed at 2025-05-05T15:00:00.123456-05:00.", "It was placed at 3 pm on 5 May 2025 [1]."),
        ("Open 09:00-18:00.", "We are open from 9 am until 6 pm [1]."),
        ("Frist: 1. Mai 2024.", "Die Frist endet am 1. Mai 2024 für alle Kunden [1]."),
        ("Geschlossen am 24. Dezember, siehe Abs. 2.", "Am 24. Dezember ist nach Abs. 2 geschlossen [1]."),
        ("Der 2. Artikel ist gratis.", "Gratis ist der 2. Artikel [1]."),
        ("19.90 EUR for 3.", "3 * 19.90 EUR = 59.70 EUR [1]."),
        ("It draws 1500 W and stores 2000 Wh.", "It draws 1.5 kW and stores 2 kWh [1]."),
        ("It is 20 x 30 x 40 cm.", "It is 20x30x40 cm [1]."),
        ("It is 20x30x40cm.", "It is 20 x 30 x 40 cm [1]."),
        ("Due on 5 January 2026.", "It is due on 05-01-2026 [1]."),
        ("Space: 16000 MB.", "It has 16 GB of space [1]."),
        ("It costs 5 USD.", "It costs US$ 5 [1]."),
        ("Sales: 1.5 million euros.", "That is 1,5 Mio. € in all [1]."),
        ("Rates: 2 and 3.", "Together 2*3 = 6 **in all** [1]."),
    ],
)
def test_what_a_passage_says_in_another_form_is_not_flagged(said, answer):
    assert flagged(answer, searched(passage(1, "Facts", said))) == []


@pytest.mark.parametrize(
    ("said", "answer", "wrong"),
    [
        ("Open 09:00-18:00.", "We are open 09:00-22:00 [1].", ["22:00"]),
        ("Placed at 2025-05-05T15:00:00-05:00.", "It was placed at 5:00 [1].", ["5:00"]),
        ("19.90 EUR for 3.", "3 * 19.90 EUR = 61.70 EUR [1].", ["61.70 EUR"]),
        ("It takes 5 days.", "It takes 4. Then it is sent within 5 days [1].", ["4"]),
    ],
)
def test_what_a_passage_says_otherwise_is_flagged(said, answer, wrong):
    assert [text for _, text, _ in flagged(answer, searched(passage(1, "Facts", said)))] == wrong


def test_a_number_and_a_name_from_nowhere_are_flagged():
    assert flagged("You have 60 days, and Klarna pays it back [1].", searched(RETURNS)) == [
        ("name", "Klarna", NOWHERE),
        ("number", "60 days", NOWHERE),
    ]


def test_a_number_from_another_passage_than_the_one_cited_is_flagged_with_that_one():
    assert flagged("The label costs 4.90 EUR [1].", searched(RETURNS, FEE)) == [
        ("number", "4.90 EUR", "not in the passage cited, but in [2]")
    ]


def test_a_number_of_a_result_or_of_the_question_may_stand_beside_a_citation():
    order = got({"id": 1022, "total": 159.0})
    answer = "Order 1022 for 159 EUR came to 2 people and can go back within 30 days [1]."
    assert flagged(answer, searched(RETURNS), order, question="We are 2 people, what of order 1022?") == []


def test_what_the_calculator_gave_and_how_many_there_are_of_something_is_given():
    orders = got([{"id": 1003, "amount_cents": 5800}, {"id": 1018, "amount_cents": 18900}])
    assert flagged("You have two orders, 58.00 EUR and 189.00 EUR, 247 EUR in all.", orders, got(247.0, "c")) == []
    assert flagged("You have 3 orders.", orders) == [("number", "3", NOWHERE)]


def test_a_wrong_sum_is_flagged_with_what_it_comes_to():
    price = got({"price": 159.0, "fee": 4.9})
    assert flagged("It is 159.00 - 4.90 = 154.10 EUR.", price) == []
    assert flagged("It is 159.00 - 4.90 = 153.10 EUR.", price) == [("number", "153.10 EUR", "159.00 - 4.90 is 154.1")]


def test_a_result_that_is_shown_cut_counts_whole():
    whole = ToolMessage("[1, 2 …", tool_call_id="a", artifact={"value": [{"price": price} for price in range(500)]})
    assert flagged("It costs 487 EUR.", whole) == []


def test_lists_headings_tables_citations_and_code_are_no_claims():
    answer = (
        "## 7. Returning\n\n1. Ask for a label [1].\n2. Send it within 30 days [1].\n\n| Step | Time |\n| --- | --- |\n"
        "| Return | 30 days |\n\n```sql\nSELECT 99 FROM t LIMIT 12;\n```\n\nRun `sleep 77` first."
    )
    assert flagged(answer, searched(RETURNS)) == []


def test_earlier_turns_count_but_not_what_was_flagged_in_them():
    earlier = AIMessage(
        "You have 30 days or 45 days.",
        response_metadata={"flags": [{"kind": "number", "text": "45 days", "detail": ""}]},
    )
    turns = (searched(RETURNS), earlier, HumanMessage("Sure?"))
    assert flagged("Yes, 30 days.", *turns) == []
    assert flagged("Yes, 45 days.", *turns) == [("number", "45 days", NOWHERE)]


def test_the_personas_words_may_be_repeated():
    assert flagged("I am Robin of Larkmoor.", own=["You are Robin, of Larkmoor."]) == []
    assert flagged("I am Robin of Larkmoor.") == [("name", "Robin", NOWHERE), ("name", "Larkmoor", NOWHERE)]


@pytest.mark.parametrize(
    "answer",
    [
        "Hello! What can I help you with?",
        "I do not know: our documents do not say.",
        "Which order is it?",
        "You're welcome!",
        "There are no records of that in our shop.",
        "Please ask our shop.",
        "My name is hard to say.",
        "I can look that up for you.",
        "A tree is a graph without cycles.",
        "Ich weiß es leider nicht.",
    ],
)
def test_small_talk_questions_and_refusals_need_no_support(answer):
    assert flagged(answer) == []


@pytest.mark.parametrize(
    ("answer", "messages"),
    [
        ("You can return it at any time.", ()),
        ("Returns are free in our stores.", (got([]),)),
        ("Your order is on its way.", (got("no such order", status="error"),)),
        ("Sie können alles bei uns zurückgeben.", ()),
        ("There is no fee for a return.", ()),
        ("Please note that every order can be returned.", ()),
        ("My records show that the order was returned.", ()),
    ],
)
def test_facts_that_rest_on_nothing_are_said_to(answer, messages):
    assert ("unsupported", "", UNSUPPORTED) in flagged(answer, *messages, question="Can I return my order?")


def test_an_empty_result_bears_out_that_there_is_nothing():
    assert flagged("There are no open orders.", got([]), question="Which orders are open?") == []
    nothing = ToolMessage("[] (nothing found)", tool_call_id="s", name="search")
    assert flagged("There are no open orders.", nothing, question="Which orders are open?") != []


def test_a_follow_up_rests_on_what_was_found_before():
    turns = (searched(RETURNS), AIMessage("Within 30 days [1]."), HumanMessage("Also tents?"))
    assert flagged("Yes, you can return any item within 30 days of delivery.", *turns) == []
    assert [kind for kind, _, _ in flagged("Yes, our workshop mends broken zips.", *turns)] == ["unsupported"]


def test_contradicting_passages_are_named_where_the_answer_cites_one():
    other = passage(2, "Returns, old", "You can return an item within 60 days of delivery.")
    told = ("contradiction", "", "[1] says 30 days, [2] says 60 days")
    assert flagged("Within 30 days [1].", searched(RETURNS, other)) == [told]
    third = passage(3, "Stores", "The store is in Ghent.")
    assert flagged("The store is in Ghent [3].", searched(RETURNS, other, third)) == []


def test_an_answer_in_another_language_is_held_to_its_numbers_only():
    answer = "Sie können den Artikel innerhalb von 14 Tagen zurückgeben, auch in Österreich [1]."
    assert flagged(answer, searched(RETURNS)) == [("number", "14 Tagen", NOWHERE)]


@pytest.mark.timeout(120)
def test_hostile_answers_and_threads_are_bounded():
    answer = " ".join(f"The Zeta{n} costs {n}.5 EUR." for n in range(20_000))
    thread = [got("x" * 5_000_000), searched(*(passage(n, "P", "word " * 5000) for n in range(1, 100)))]
    assert len(flagged(answer, *thread)) == MOST_FLAGS
    assert len(answer) > LONGEST_ANSWER
