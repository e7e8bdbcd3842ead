from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langchain_core.tools.structured import StructuredTool

from agent.planning.parameters import widened
from agent.planning.plan import MOST_CALLS, FanOutTooWide, check, resolve
from agent.planning.references import UnresolvedReference
from agent.toolset import BoundTool, Toolset
from tools.reply import reply


@tool
def order(order_id: int) -> dict[str, Any]:
    """Get an order."""
    return {}


@tool
def mail(to: str, lines: list[str], urgent: bool = False) -> str:
    """Send."""
    return ""


by_schema = StructuredTool(
    name="by_schema",
    description="A tool whose arguments are described by JSON schema, as MCP tools are.",
    args_schema={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    func=lambda n: n,
)

TOOLS = Toolset(BoundTool(each) for each in (order, mail, by_schema, reply))
MAIL = TOOLS.get("mail").parameters
ORDER = TOOLS.get("order").parameters


def plan(*calls, invalid=()):
    made = [{"name": name, "args": args, "id": f"c{i}"} for i, (name, args) in enumerate(calls, 1)]
    broken = [{"name": name, "args": "{", "id": "bad", "error": None} for name in invalid]
    return AIMessage("", tool_calls=made, invalid_tool_calls=broken)


def test_a_right_plan_passes():
    assert check(plan(("order", {"order_id": 1}), ("mail", {"to": "${1.email}", "lines": ["${1.id}"]})), TOOLS) == {}


@pytest.mark.parametrize(
    ("calls", "wrong", "message"),
    [
        ([("order", {"order_id": "${1.id}"})], "c1", "not the result of an earlier call"),
        ([("order", {"order_id": "${2.id}"}), ("order", {"order_id": 1})], "c1", "not the result of an earlier call"),
        ([("order", {"order_id": "${9}"})], "c1", "not the result of an earlier call"),
        ([("nope", {})], "c1", "no tool 'nope'; the tools are order, mail"),
        ([("order", {})], "c1", "order_id: Field required"),
        ([("order", {"order_id": "x"})], "c1", "order_id: .*valid integer"),
        ([("order", {"order_id": 1, "extra": 2})], "c1", "no argument 'extra'; it takes order_id"),
        ([("order", {"order_id": 1}), ("mail", {"to": "${1.email}"})], "c2", "lines: Field required"),
        ([("by_schema", {"n": "x"})], "c1", "not of type 'integer'"),
        ([("by_schema", {})], "c1", "'n' is a required property"),
        ([("reply", {"text": "done"}), ("order", {"order_id": 1})], "c1", "must be the last call"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_of_the_call_it_is_wrong_with(calls, wrong, message):
    problems = check(plan(*calls), TOOLS)
    assert list(problems) == [wrong]
    assert re.search(message, problems[wrong])


def test_a_plan_of_too_many_calls_is_refused_as_a_whole():
    most = [("order", {"order_id": 1})] * MOST_CALLS
    assert check(plan(*most), TOOLS) == {}
    wrong = check(plan(*most, most[0]), TOOLS)
    assert len(wrong) == MOST_CALLS + 1
    assert set(wrong.values()) == {"a plan has at most 64 calls, and this one 65: [*] runs one for every element"}


def test_arguments_that_are_no_json_object_are_a_problem_of_the_plan():
    assert "not a JSON object" in check(plan(("order", {"order_id": 1}), invalid=["mail"]), TOOLS)["bad"]


@pytest.mark.parametrize("name", ["order", "by_schema"])
def test_what_a_result_holds_does_not_pass_for_a_reference(name):
    argument = {"order": "order_id", "by_schema": "n"}[name]
    assert list(TOOLS.get(name).problems({argument: "${1.id}"})) == []
    [problem] = TOOLS.get(name).problems_of_resolved({argument: "${1.id}"})
    assert "integer" in problem


@pytest.mark.parametrize("name", ["order", "by_schema"])
def test_a_reference_passes_where_the_value_is_not_known_yet(name):
    argument = {"order": "order_id", "by_schema": "n"}[name]
    assert check(plan(("order", {"order_id": 1}), (name, {argument: "${1.id}"})), TOOLS) == {}


def test_a_reference_to_every_element_in_a_single_value_fans_the_call_out():
    assert resolve({"order_id": "${1[*].id}"}, ORDER, {1: [{"id": 3}, {"id": 4}]}, 32) == [
        {"order_id": 3},
        {"order_id": 4},
    ]


def test_a_reference_to_every_element_in_a_list_stays_one_call():
    results = {1: [{"name": "a"}, {"name": "b"}]}
    assert resolve({"to": "x", "lines": "${1[*].name}"}, MAIL, results, 32) == {"to": "x", "lines": ["a", "b"]}


def test_lists_of_equal_length_are_gone_through_side_by_side():
    results = {1: [{"to": "x"}, {"to": "y"}], 2: ["p", "q"]}
    resolved = resolve({"to": "${1[*].to} ${2[*]}", "lines": ["${1[*].to}"]}, MAIL, results, 32)
    assert resolved == [{"to": "x p", "lines": ["x", "y"]}, {"to": "y q", "lines": ["x", "y"]}]


def test_lists_of_different_length_are_an_error_that_names_them():
    with pytest.raises(UnresolvedReference, match=r"\$\{1\} has 2, \$\{2\} has 1"):
        resolve({"to": "${1[*]} ${2[*]}", "lines": []}, MAIL, {1: [1, 2], 2: [3]}, 32)


def test_an_empty_list_fans_out_to_no_execution():
    assert resolve({"order_id": "${1[*]}"}, ORDER, {1: []}, 32) == []


@pytest.mark.parametrize("results", [{1: list(range(33))}, {1: [list(range(6))] * 6}])
def test_a_fan_out_past_the_limit_is_refused(results):
    path = "${1[*]}" if results[1][0] == 0 else "${1[*][*]}"
    with pytest.raises(FanOutTooWide, match="the limit is 32"):
        resolve({"order_id": path}, ORDER, results, 32)


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=6))
def test_nested_fan_out_runs_once_for_each_innermost_element_in_order(nested):
    resolved = resolve({"order_id": "${1[*][*]}"}, ORDER, {1: nested}, 100)
    assert [args["order_id"] for args in resolved] == [item for inner in nested for item in inner]


def test_the_schema_shown_to_the_model_admits_a_reference_for_every_scalar():
    import jsonschema

    shown = TOOLS.get("mail").shown["parameters"]
    validator = jsonschema.Draft202012Validator(shown)
    assert validator.is_valid({"to": "${1.email}", "lines": "${1.lines[*]}", "urgent": "${1.urgent}"})
    assert validator.is_valid({"to": "x", "lines": ["a", "${1.b}"], "urgent": True})
    assert not validator.is_valid({"to": "x", "lines": [], "urgent": "yes"})
    assert "anyOf" not in TOOLS.get("mail").function["parameters"]["properties"]["urgent"]


def test_recursive_schemas_are_cut():
    node = {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}}
    wide = widened({"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}})
    assert "$ref" not in str(wide)


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (1.5, "1.5"), (True, "true"), (None, None)])
def test_a_number_or_truth_value_becomes_text_where_only_text_is_wanted(value, text):
    args = {"to": "${1}", "lines": ["${1}", "${1}!"]}
    rendered = "null" if value is None else text
    assert resolve(args, MAIL, {1: value}, 32) == {"to": text, "lines": [text, f"{rendered}!"]}


@pytest.mark.parametrize(
    ("schema", "arrives"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "7"),
        ({"type": ["string", "null"]}, "7"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 7),
        ({"anyOf": [{"type": "string"}, {"$ref": "#/elsewhere"}]}, 7),
        ({}, 7),
    ],
)
def test_a_number_stays_one_where_more_than_text_may_be_wanted(schema, arrives):
    assert resolve({"x": "${1}"}, {"properties": {"x": schema}}, {1: 7}, 32) == {"x": arrives}
