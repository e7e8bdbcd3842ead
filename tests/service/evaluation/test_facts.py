"""What stands in an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.refusals import refuses
from service.evaluation.facts import Number, Pattern, numbers, stands_in
from service.evaluation.phrases import asks_back


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("284.10 EUR", 284.1),
        ("284,10 EUR", 284.1),
        ("1,234.50 EUR", 1234.5),
        ("1.234,50 EUR", 1234.5),
        ("2,000 points", 2000),
        ("1\u202f299,00 €", 1299),
        ("12 345 678 people", 12345678),
        ("1.299 €", 1299),
        ("1.299 kg", 1.299),
        ("1’299.50 CHF", 1299.5),
        ("1,234,567", 1234567),
        ("€5.50.", 5.5),
        ("\u22124 °C", -4),
        ("a 30-day period", 30),
        ("from 10–15", 15),
        ("four to six", 6),
        ("thirty days", 30),
    ],
)
def test_a_number_is_found_however_it_is_written(written, value):
    assert value in list(numbers(written))


def test_the_number_of_a_citation_is_no_number_of_the_answer():
    assert list(numbers("You may return it [4]. It costs 5 EUR [1, 12].")) == [5]


def test_one_of_several_is_no_number():
    assert list(numbers("That is one of our options, and one\nof two.")) == [2]


@given(st.decimals(min_value=-99999, max_value=99999, places=2))
def test_every_amount_is_read_back(amount):
    for text in (f"It is {amount} EUR.", f"It is {amount:,} EUR.", f"It is {str(amount).replace('.', ',')} EUR."):
        assert stands_in(Number(number=float(amount)), text), text


@given(st.text())
def test_any_text_can_be_looked_at(text):
    list(numbers(text))
    refuses(text)
    asks_back(text)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("It is valid for 5 years.", True),
        ("It is valid for 5\u00a0 Years [2].", True),
        ("It is valid for 15 years.", False),
        ("It is valid for 5 yearsold.", False),
    ],
)
def test_words_count_as_whole_ones_in_upper_or_lower_case(answer, says):
    assert stands_in("5 years", answer) is says


def test_a_pattern_sees_plain_quotes_and_dashes():
    assert stands_in(Pattern(regex=r"4-6|can't"), "It takes 4–6 days.")
    assert stands_in(Pattern(regex=r"4-6|can't"), "You can’t.")


@pytest.mark.parametrize(
    "answer",
    [
        "I don't know: nothing in the documents answers this.",
        "I do not know.",
        "We have no further details.",
        "I have no idea.",
        "No information was found.",
        "I found nothing on that.",
        "It is not found in the documents.",
        "I could not find that in the company's documents.",
        "The documents do not say who founded Larkmoor.",
        "I\u2019m sorry, I don\u2019t have any information about that.",
        "Our documents do not mention parking.",
        "There is no information on that.",
        "I'm not sure whether dogs are welcome.",
        "That is not covered by our documents.",
        "Das weiß ich leider nicht.",
        "Ich weiß nicht, wer Larkmoor gegründet hat.",
        "Dazu kann ich Ihnen leider nichts Genaues und nicht sagen.",
        "In unseren Dokumenten steht nichts über Parkplätze.",
        "Dazu liegen mir keine Angaben vor.",
        "Die Unterlagen nennen dazu keinen Preis.",
        "Je ne sais pas.",
        "Je ne peux pas répondre à cette question.",
        "Nos documents ne mentionnent pas le stationnement.",
        "Il n’y a aucune information à ce sujet.",
        "No lo sé.",
        "Los documentos no mencionan el aparcamiento.",
        "No hay información sobre eso.",
        "Non lo so.",
        "I documenti non indicano il prezzo.",
        "Dat weet ik helaas niet.",
        "Onze documenten zeggen daar niets over.",
        "Não sei.",
        "Os documentos não mencionam o estacionamento.",
    ],
)
def test_saying_that_one_does_not_know_is_a_refusal(answer):
    assert refuses(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Yes, you can.",
        "We have no minimum order value.",
        "I have no doubt: it costs 5 EUR.",
        "No details are needed: just send it back.",
        "No information is shared with third parties.",
        "It is not found in stores, only online.",
        "Nothing in the box needs assembly.",
        "Yes, it comes in red.",
        "It was founded by Jan de Vries.",
        "No, order 1036 can no longer be cancelled.",
        "We do not accept American Express.",
        "You can return an item within 30 days.",
        "The price does not include delivery.",
        "The warranty does not cover worn soles.",
        "The Cinder down jacket is not in stock.",
        "We do not have it in red, but in blue.",
        "It is not available in your size.",
        "Sie können den Artikel innerhalb von 30 Tagen zurückgeben.",
        "Wir akzeptieren American Express nicht.",
        "Der Preis enthält keine Lieferung.",
        "Nein, die Bestellung kann nicht mehr storniert werden.",
        "Vous pouvez le retourner sous 30 jours.",
        "Nous n’acceptons pas American Express.",
        "No aceptamos American Express.",
        "El precio no incluye el envío.",
        "Non accettiamo American Express.",
        "Wij accepteren geen American Express.",
        "Não aceitamos American Express.",
    ],
)
def test_an_answer_is_no_refusal(answer):
    assert not refuses(answer)


@pytest.mark.parametrize(
    ("answer", "asks"),
    [
        ("Which order do you mean?", True),
        ("Please tell me the order number.", True),
        ("I need your order number.", True),
        ("Your order is on its way.", False),
    ],
)
def test_a_question_back_is_told_from_an_answer(answer, asks):
    assert asks_back(answer) is asks
