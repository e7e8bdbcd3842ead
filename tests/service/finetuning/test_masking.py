"""What is personal is masked, and what only looks like it stays."""

from __future__ import annotations

import pytest

from service.finetuning.masking import Masker, Masking


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to Ann.Miller+x@mail.example.co.uk.", "write to [EMAIL_1]."),
        ("call +49 30 901820, or 030 901820!", "call [PHONE_1], or [PHONE_1]!"),
        ("call (212) 456-7890 or 020 7946 0958", "call [PHONE_1] or [PHONE_2]"),
        ("IBAN DE89 3704 0044 0532 0130 00 and GB33BUKB20201555555555", "IBAN [IBAN_1] and [IBAN_2]"),
        ("DE89370400440532013000 IS MINE", "[IBAN_1] IS MINE"),
        ("my card 4111 1111 1111 1111, 4111-1111-1111-1111", "my card [CARD_1], [CARD_1]"),
        ("4111 1111 1111 1111 12/28, 4111 1111 1111 1111 123", "[CARD_1] 12/28, [CARD_1] 123"),
        ("exp 12/28 4111 1111 1111 1111 1228", "exp 12/28 [CARD_1] 1228"),
        ("Order 2 3782 822463 10005, 1042 4111111111111111 5", "Order 2 [CARD_1], 1042 [CARD_2] 5"),
        ("my iban de89 3704 0044 0532 0130 00 is new", "my iban [IBAN_1] is new"),
        ("SSN 536-90-4399", "SSN [SSN_1]"),
        ("from 192.168.1.20 and 2001:db8::1", "from [IP_1] and [IP_2]"),
        ("a@example.com, b@example.com, A@Example.com", "[EMAIL_1], [EMAIL_2], [EMAIL_1]"),
    ],
)
def test_personal_data_becomes_placeholders(text, masked):
    assert Masker(Masking()).text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Order 1042 of 2026-11-23 at 12:30:45 costs 19.90 EUR, 59.70 for three.",
        "TENT-2-1234567, invoice 4929123456, batch 4111111111111112, Python 3.11.7, version 1.2.3",
        "It weighs 1,200.50 g [3]; see ${1.items[0].name} and https://example.com/a/b@2.",
        "room 100-20-300, ids 000-12-3456",
        "rows of 25 34 41 52 63 27 38 49 50 61 22 33 44 55 66 37 48 59, 411 111 111 111 111 11 2 0",
    ],
)
def test_order_numbers_prices_dates_and_references_stay(text):
    assert Masker(Masking()).text(text) == text


def test_names_are_masked_where_they_are_given_and_stand_alone():
    masker = Masker(Masking(names=["Ann", "Ann Miller"]))
    assert masker.text("ANN MILLER and Ann met Annabel.") == "[NAME_1] and [NAME_2] met Annabel."
    assert masker.counts == {"NAME": 2}
