from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.planning.references import EVERY, Reference, UnresolvedReference, find, parse, render, substitute, whole

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
segments = st.one_of(names.map(lambda n: f".{n}"), st.integers(0, 999).map(lambda i: f"[{i}]"), st.just("[*]"))
references = st.builds(lambda n, path: f"${{{n}{''.join(path)}}}", st.integers(1, 99), st.lists(segments, max_size=5))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def lookup_in(results):
    return lambda reference: reference.value(results)


@given(references)
def test_every_reference_of_the_grammar_is_read_back_as_written(text):
    reference = whole(text)
    assert reference is not None
    assert reference.text == text
    assert [r.text for r in parse(f"a {text} b {text}")] == [text, text]


@pytest.mark.parametrize(
    "text",
    [
        "$100",
        "${HOME}",
        "$1",
        "${0}",
        "${01}",
        "${1",
        "${1 }",
        "${ 1}",
        "${1.}",
        "${1[x]}",
        "${1[-1]}",
        "${1..a}",
        "$ {1}",
        "${-1}",
        "${1}}"[:3],
        "{1}",
        "${१}",
    ],
)
def test_text_outside_the_grammar_stays_literal(text):
    assert list(parse(text)) == []
    assert substitute(text, lookup_in({})) == text


@given(json_values)
def test_a_lone_reference_keeps_the_type_of_the_value(value):
    assert substitute({"a": "${1}"}, lookup_in({1: value})) == {"a": value}


@given(st.text(), st.text(), st.text())
def test_results_that_look_like_references_are_not_resolved_again(before, after, result):
    hostile = f"{result}${{2.secret}}"
    resolved = substitute("x ${1} y", lookup_in({1: hostile, 2: {"secret": "leaked"}}))
    assert resolved == f"x {hostile} y"


@given(st.text().filter(lambda text: not list(parse(text))))
def test_text_without_references_is_left_as_it_is(text):
    assert substitute(text, lookup_in({})) == text


@given(json_values)
def test_nothing_but_strings_is_searched_or_changed(value):
    if not list(find(value)):
        assert substitute(value, lookup_in({})) == value


def test_paths_reach_into_objects_lists_and_every_element():
    results = {1: {"orders": [{"id": 7, "lines": [{"sku": "A"}, {"sku": "B"}]}, {"id": 8, "lines": []}]}}
    assert substitute("${1.orders[0].id}", lookup_in(results)) == 7
    assert substitute("${1.orders[*].id}", lookup_in(results)) == [7, 8]
    assert substitute("${1.orders[*].lines[*].sku}", lookup_in(results)) == ["A", "B"]
    assert whole("${1.orders[*].id}") == Reference(1, ("orders", EVERY, "id"), "${1.orders[*].id}")


def test_several_references_in_one_text_are_each_replaced_and_money_is_left_alone():
    results = {1: {"city": "PARIS"}, 2: 5}
    text = "budget $100 in ${1.city}, ${2} days, $1 each"
    assert substitute(text, lookup_in(results)) == "budget $100 in PARIS, 5 days, $1 each"


def test_a_result_that_is_json_text_is_reached_into():
    assert substitute("${1.price}", lookup_in({1: json.dumps({"price": 3})})) == 3


@pytest.mark.parametrize(
    ("written", "value"),
    [(str(2**70), str(2**70)), ("NaN", "nan"), ('"\\ud83d"', "\ufffd"), ('"\\ud83d\\ude00"', "\U0001f600")],
)
def test_what_no_store_can_hold_is_mended_in_a_result_that_is_json_text(written, value):
    assert substitute("${1.x}", lookup_in({1: f'{{"x": {written}}}'})) == value


def test_a_result_that_is_json_text_and_nested_too_deeply_stays_a_text():
    with pytest.raises(UnresolvedReference, match="needs a list, and there is a text"):
        substitute("${1[0]}", lookup_in({1: "[" * 900 + "]" * 900}))


def test_every_element_as_an_item_is_spread_into_the_list():
    assert substitute({"ids": ["${1[*]}", 9]}, lookup_in({1: [1, 2]})) == {"ids": [1, 2, 9]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${1.missing}", "no 'missing' in the result; it has id, items"),
        ("${1.items[5]}", "2 items"),
        ("${1.id[0]}", "needs a list, and there is a number"),
        ("${1.id[*]}", "needs a list"),
        ("${1.items.name}", "needs an object, and there is a list"),
    ],
)
def test_a_path_that_is_not_there_says_what_is(text, message):
    with pytest.raises(UnresolvedReference, match=message.replace("[", r"\[")):
        substitute(text, lookup_in({1: {"id": 1, "items": [1, 2]}}))


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (1.5, "1.5"), (None, "null"), (True, "true"), ([1, "b"], "1, b"), ({"a": 1}, '{"a": 1}')],
)
def test_values_inside_text_read_as_people_write_them(value, text):
    assert render(value) == text
