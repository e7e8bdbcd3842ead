"""Plain data: whatever comes in, what comes out can be stored, sent and read again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent.plain import DEEPEST, NotPlain, legible, plain

ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(min_value=2**63) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANY_JSON)
def test_what_is_plain_can_be_stored_and_written_and_stays_as_it_is(value):
    kept = plain(value)
    assert JsonPlusSerializer().loads_typed(JsonPlusSerializer().dumps_typed(kept)) == kept
    assert json.loads(json.dumps(kept, ensure_ascii=False).encode()) == kept == plain(kept)


@given(
    st.recursive(
        st.none() | st.integers(0, 2**64 - 1) | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)
    )
)
def test_what_was_plain_already_is_not_changed(value):
    assert plain(value) == value


@pytest.mark.parametrize(
    ("number", "text"), [(2**64, "18446744073709551616"), (float("nan"), "nan"), (float("-inf"), "-inf")]
)
def test_a_number_that_cannot_be_kept_as_one_is_kept_as_text(number, text):
    assert plain({"it": [number]}) == {"it": [text]}


@given(ANY_TEXT)
def test_a_legible_text_can_be_written_and_only_lone_halves_are_lost(text):
    written = legible(text).encode()
    assert written == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


@pytest.mark.parametrize(
    ("text", "read"), [("a\ud83d\ude00b", "a😀b"), ("a\ud83db", "a�b"), ("\ude00", "�"), ("\ufeffß", "\ufeffß")]
)
def test_halves_that_stand_together_become_their_character(text, read):
    assert legible(text) == read


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


class Unreadable:
    def __str__(self):
        raise OSError("gone")


def holding_itself():
    value = {}
    value["it"] = value
    return value


@pytest.mark.parametrize("make", [lambda: nested(DEEPEST + 1), lambda: nested(100_000), Unreadable, holding_itself])
def test_what_cannot_be_written_is_said(make):
    with pytest.raises(NotPlain):
        plain({"value": make()})


def test_what_is_nested_as_deep_as_may_be_is_kept():
    assert plain(nested(DEEPEST)) == nested(DEEPEST)
