"""Calls are read from a stream as they were meant, however a server cuts, counts and names them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from agent.plain import plain
from agent.planning.reader import CallReader


def part(index=0, call_id=None, name=None, args=None):
    return AIMessageChunk("", tool_call_chunks=[tool_call_chunk(name=name, args=args, id=call_id, index=index)])


def read(*parts, taken=()):
    """Return the calls that were given while the parts came, the calls at the end, and the broken ones."""
    reader = CallReader(taken)
    early = [call for each in parts for call in reader.feed(each)]
    return early, *reader.calls()


arguments = st.dictionaries(
    st.text(max_size=3), st.text(max_size=5) | st.integers() | st.just({"a": ["}"]}), max_size=3
)


@given(st.lists(arguments, min_size=1, max_size=4), st.data())
def test_wherever_arguments_are_cut_each_call_is_given_early_as_it_is_at_the_end(calls, data):
    parts = []
    for index, args in enumerate(calls):
        text = json.dumps(args)
        cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
        parts += [part(index, f"c{index}", f"tool{index}"), *(part(index, args=piece) for piece in pieces)]
    early, whole, broken = read(*parts)
    assert [call["args"] for call in whole] == plain(calls)
    assert [(call.number, call.id, call.tool, call.args) for call in early] == [
        (number, call["id"], call["name"], call["args"]) for number, call in enumerate(whole, 1)
    ]
    assert not broken


@pytest.mark.parametrize("written", ['{"n": 10', '{"n": 1} and', "[1]", "null", '{"n": ', "{}}"])
def test_arguments_that_are_no_whole_object_are_not_completed(written):
    early, whole, [broken] = read(part(0, "c", "act", written))
    assert not whole
    assert not any(call.args != {"n": 1} for call in early)
    assert (broken["id"], broken["name"], json.loads(broken["args"])) == ("c", "act", {})


def test_a_call_without_arguments_has_none():
    assert [call["args"] for call in read(part(0, "c", "clock"))[1]] == [{}]


def test_calls_that_are_all_counted_as_the_first_are_told_apart_by_their_ids():
    early, whole, _ = read(
        part(0, "a", "x", '{"n":'), part(0, None, None, " 1}"), part(0, "b", "y", '{"n":'), part(0, None, None, " 2}")
    )
    assert [(call["id"], call["name"], call["args"]) for call in whole] == [("a", "x", {"n": 1}), ("b", "y", {"n": 2})]
    assert [call.number for call in early] == [1, 2]


def test_calls_that_are_not_counted_come_whole():
    assert [call["id"] for call in read(part(None, "a", "x", "{}"), part(None, "b", "y", "{}"))[1]] == ["a", "b"]


def test_an_id_that_comes_with_every_part_is_one_id():
    assert [call["id"] for call in read(part(0, "a", "x", "{"), part(0, "a", None, "}"))[1]] == ["a"]


def test_ids_that_are_missing_or_taken_or_given_twice_are_replaced_by_ones_of_their_own():
    early, whole, _ = read(
        part(0, None, "x", "{}"),
        part(1, "c0", "x", "{}"),
        part(2, "c1", "x", "{}"),
        part(3, "c1", "x", "{}"),
        taken={"c0"},
    )
    ids = [call["id"] for call in whole]
    assert len({*ids, "c0"}) == 5
    assert ids[2] == "c1"
    assert [call.id for call in early] == ids
