from __future__ import annotations

import json
from contextlib import suppress

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from agent.errors import BrokenReply
from agent.models.json_protocol.reader import ReplyReader
from agent.models.json_protocol.schemas import answer_schema, response_format
from agent.models.json_protocol.transcript import written
from agent.toolset import BoundTool, Toolset
from tools.calculator import calculator
from tools.reply import reply

TOOLS = Toolset([BoundTool(calculator), BoundTool(reply)])


def read(pieces):
    reader = ReplyReader()
    chunks = [chunk for piece in pieces for chunk in reader.feed(piece)]
    reader.finish()
    text = "".join(chunk.text for chunk in chunks)
    calls = [(part["name"], json.loads(part["args"])) for chunk in chunks for part in chunk.tool_call_chunks]
    return text, calls


def cut(text, cuts):
    marks = sorted(min(mark, len(text)) for mark in cuts)
    return [text[a:b] for a, b in zip([0, *marks], [*marks, len(text)], strict=True)]


cuts = st.lists(st.integers(0, 400), max_size=20)


@given(st.text(), cuts, st.booleans(), st.integers(0, 2))
def test_an_answer_is_read_whatever_it_holds_and_however_it_is_cut(answer, marks, ascii_only, indent):
    body = json.dumps({"answer": answer}, ensure_ascii=ascii_only, indent=indent or None)
    assert read(cut(body, marks)) == (answer, [])


@given(
    st.lists(st.tuples(st.text(min_size=1), st.dictionaries(st.text(), st.text() | st.integers())), min_size=1), cuts
)
def test_steps_are_read_in_order_however_they_are_cut(steps, marks):
    body = json.dumps({"steps": [{"tool": tool, "args": args} for tool, args in steps]})
    assert read(cut(body, marks)) == ("", steps)


def test_a_step_is_given_before_the_next_one_is_written():
    reader = ReplyReader()
    first = list(reader.feed('{"steps": [{"tool": "calculator", "args": {"expression": "1"}}'))
    assert [part["name"] for chunk in first for part in chunk.tool_call_chunks] == ["calculator"]


def test_plain_text_of_a_server_that_ignores_the_schema_is_the_answer():
    assert read(["Hello", " there"]) == ("Hello there", [])


def test_json_in_a_code_fence_is_read():
    assert read(['```json\n{"answer": "Hi"}\n```']) == ("Hi", [])


@pytest.mark.parametrize(
    "pieces",
    [
        [""],
        ["   \n  "],
        ['{"answer": "half'],
        ['{"steps": [{"tool": "x"'],
        ['{"other": 1}'],
        ['{"steps": [{"args": {}}]}'],
        ['{"steps": [7]}'],
    ],
)
def test_half_or_foreign_json_is_a_broken_reply(pieces):
    with pytest.raises(BrokenReply):
        read(pieces)


@given(st.text(max_size=80), cuts)
def test_no_text_at_all_makes_the_reader_crash(text, marks):
    with suppress(BrokenReply):
        read(cut(text, marks))


def test_the_schema_admits_plans_with_references_and_answers_and_nothing_else():
    validator = jsonschema.Draft202012Validator(response_format(TOOLS)["json_schema"]["schema"])
    assert validator.is_valid({"answer": "Hi"})
    assert validator.is_valid({"steps": [{"tool": "calculator", "args": {"expression": "${1} + 1"}}]})
    assert not validator.is_valid({"steps": []})
    assert not validator.is_valid({"steps": [{"tool": "rm", "args": {}}]})
    assert not validator.is_valid({"steps": [{"tool": "calculator", "args": {"expression": "1", "x": 1}}]})


def test_history_is_written_for_models_that_know_no_tool_calls():
    calls = [
        {"name": "calculator", "args": {"expression": "1"}, "id": "a"},
        {"name": "reply", "args": {"text": "${1}"}, "id": "b"},
    ]
    history = [
        SystemMessage("rules"),
        HumanMessage("question"),
        AIMessage("", tool_calls=calls),
        ToolMessage("1", tool_call_id="a", name="calculator"),
        ToolMessage("not used", tool_call_id="b", name="reply"),
        SystemMessage("answer now"),
    ]
    out = written(history)
    assert [message.type for message in out] == ["system", "human", "ai", "human"]
    assert json.loads(out[2].text)["steps"][0] == {"tool": "calculator", "args": {"expression": "1"}}
    assert out[3].text == "Result ${1} of calculator:\n1\n\nResult ${2} of reply:\nnot used\n\nanswer now"


def test_a_call_that_another_model_wrote_wrongly_is_history_like_any_other():
    wrong = {"type": "invalid_tool_call", "name": "order", "args": "{7", "id": "a", "error": None}
    history = [
        HumanMessage("question"),
        AIMessage("", invalid_tool_calls=[wrong]),
        ToolMessage("no JSON object", tool_call_id="a", name="order", status="error"),
    ]
    _, plan, result = written(history)
    assert json.loads(plan.text) == {"steps": [{"tool": "order", "args": "{7"}]}
    assert plan.invalid_tool_calls == []
    assert result.text == "Result ${1} of order:\nno JSON object"
    told = {"about": "order", "from": "order", "text": "order did not work: no JSON object"}
    assert jsonschema.Draft202012Validator(answer_schema(history)).is_valid({"answer": [told]})


def test_what_was_written_of_a_thread_is_the_beginning_of_what_is_written_later():
    history = [SystemMessage("rules"), HumanMessage("one"), AIMessage("two")]
    longer = [*history, HumanMessage("three")]
    assert [m.text for m in written(longer)][:3] == [m.text for m in written(history)]


sentences = st.lists(
    st.tuples(st.text(min_size=1).filter(lambda text: text == text.strip()), st.none() | st.integers(1, 99)),
    min_size=1,
    max_size=5,
)


@given(sentences, cuts, st.booleans())
def test_sentences_are_read_with_the_numbers_of_their_passages_however_they_are_cut(items, marks, ascii_only):
    body = [{"from": f"Title › [x] [{n}]" if n else "nothing", "text": text} for text, n in items]
    expected = " ".join(dict.fromkeys(f"{text} [{n}]" if n else text for text, n in items))
    assert read(cut(json.dumps({"answer": body}, ensure_ascii=ascii_only), marks)) == (expected, [])


@pytest.mark.parametrize(
    ("sum_", "shown"),
    [
        ("289.0 - 4.90", "289.0 - 4.90 = 284.10"),
        ("2 * 189.0", "2 * 189.0 = 378"),
        ("249 / 3", "249 / 3 = 83"),
        ("3 * 1.115", "3 * 1.115 = 3.35"),
        ("2 ** 64", "2 ** 64 = 18446744073709551616"),
        ("1 / 0", "1 / 0"),
        ("9**2500000 % 7**1000000", "9**2500000 % 7**1000000"),
        ("9**9**9**9", "9**9**9**9"),
        ("2 (", "2 ("),
    ],
)
def test_a_sum_is_calculated_and_one_that_cannot_be_is_shown_as_it_stands(sum_, shown):
    assert read([json.dumps({"answer": [{"text": "You get", "sum": sum_, "unit": "EUR"}]})]) == (
        f"You get {shown} EUR.",
        [],
    )


@pytest.mark.parametrize(
    "body", ['{"answer": [{"from": "x [1]"}]}', '{"answer": ["x"]}', '{"answer": [{"text": "half"']
)
def test_a_sentence_without_text_or_end_is_a_broken_reply(body):
    with pytest.raises(BrokenReply):
        read([body])


def found(number, heading):
    return {"number": number, "title": "Returns", "heading": heading}


def test_the_answer_schema_takes_a_sentence_for_each_call_from_what_that_call_found_and_then_a_conclusion():
    calls = [{"name": "order", "args": {"id": 7}, "id": "a"}, {"name": "search", "args": {"query": "fee"}, "id": "b"}]
    history = [
        HumanMessage("question"),
        AIMessage("", tool_calls=calls),
        ToolMessage("{}", tool_call_id="a", name="order"),
        ToolMessage("…", tool_call_id="b", name="search", artifact={"sources": [found(3, "Fee"), found(4, "")]}),
    ]
    validator = jsonschema.Draft202012Validator(answer_schema(history))
    data, passage = (
        {"about": "order", "from": "order", "text": "It cost 9."},
        {"about": "fee", "from": "Returns › Fee [3]", "text": "It is 4.90."},
    )
    conclusion = {"text": "You get", "sum": "9 - 4.90", "unit": "EUR"}
    assert validator.is_valid({"answer": [data, passage, conclusion]})
    assert validator.is_valid({"answer": [data, {**passage, "from": "Returns [4]"}, {"text": "So you can."}]})
    assert validator.is_valid({"answer": [data, {**passage, "from": "nothing"}, conclusion]})
    for wrong in (
        [passage, data, conclusion],
        [data, passage],
        [data, {**passage, "from": "Returns › Fee [9]"}, conclusion],
        [data, {**passage, "text": "One. Two."}, conclusion],
        [data, passage, {**conclusion, "sum": "price"}],
    ):
        assert not validator.is_valid({"answer": wrong})


def test_there_is_no_answer_schema_without_results():
    assert answer_schema([HumanMessage("question")]) is None


def test_a_sentence_copied_from_another_passage_than_the_named_one_gets_that_ones_number():
    sources = {4: {"text": "You can return an item within 30 days."}, 5: {"text": "Write to us by post."}}
    reader = ReplyReader(sources)
    body = {"answer": [{"from": "Terms [5]", "text": "You can return an item within 30 days."}]}
    assert (
        "".join(chunk.text for chunk in reader.feed(json.dumps(body))) == "You can return an item within 30 days. [4]"
    )
