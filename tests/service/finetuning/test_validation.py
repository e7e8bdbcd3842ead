"""Training files are checked: every structural rule, sizes, repetitions, tokens and cost."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from service.commands.finetuning import app
from service.finetuning.rules import problems_of
from service.finetuning.validation import MOST_TOKENS, tokens_of, validate

TOOL = {
    "type": "function",
    "function": {
        "name": "price",
        "parameters": {
            "type": "object",
            "properties": {"sku": {"type": "string"}, "pieces": {"type": "integer"}},
            "required": ["sku"],
            "additionalProperties": False,
        },
    },
}
WORDS = ["tent", "stove", "boot", "map", "rope", "lamp", "axe", "mug", "cup", "pan", "bag", "tarp"]


def call(arguments='{"sku": "T"}', call_id="a", name="price"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def selfhelp(*arguments):
    return CliRunner().invoke(app, arguments)


def example(word="tent"):
    return {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"What does the {word} cost, and how heavy is a {word}?"},
            {"role": "assistant", "tool_calls": [call()]},
            {"role": "tool", "tool_call_id": "a", "content": "19.90"},
            {"role": "assistant", "content": f"The {word} costs 19.90 EUR and is light; every {word} is."},
        ],
        "tools": [TOOL],
        "parallel_tool_calls": True,
    }


def written(path, examples):
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in examples))
    return path


def test_a_well_formed_example_has_no_problem():
    assert list(problems_of(example())) == []


def messages(change):
    return lambda e: change(e["messages"])


WRONG = {
    "keys that do not belong there: prompt": lambda e: e.update(prompt=""),
    "messages is missing, empty": lambda e: e.update(messages=[]),
    "message 1: it is not a JSON object": messages(lambda m: m.__setitem__(0, "hi")),
    "message 2: its role 'human' is none of": messages(lambda m: m[1].update(role="human")),
    "message 2: its role None": messages(lambda m: m[1].pop("role")),
    "message 2: its content is empty": messages(lambda m: m[1].update(content=" ")),
    "message 2: its content is missing": messages(lambda m: m[1].pop("content")),
    "message 2: its content has parts that are not text": messages(
        lambda m: m[1].update(content=[{"type": "image_url", "image_url": {"url": "x"}}])
    ),
    "message 2: keys that do not belong in a message of user: weight": messages(lambda m: m[1].update(weight=1)),
    "message 2: its name is not": messages(lambda m: m[1].update(name="a b")),
    "message 3: a message of system only stands first": messages(
        lambda m: m.insert(2, {"role": "system", "content": "x"})
    ),
    "message 2: the conversation begins with a message of user": messages(lambda m: m.pop(1)),
    "message 3: tool_calls is empty": messages(lambda m: m[2].update(tool_calls=[], content="x")),
    "message 3: call 1: it is not": messages(lambda m: m[2].update(tool_calls=[{"id": "a"}])),
    "message 3: call 1: it has no id": messages(lambda m: m[2]["tool_calls"][0].update(id="")),
    "message 3: call 1: there is no tool 'weight'": messages(lambda m: m[2].update(tool_calls=[call(name="weight")])),
    "its arguments are not valid JSON": messages(lambda m: m[2].update(tool_calls=[call("{")])),
    "its arguments are not a JSON object": messages(lambda m: m[2].update(tool_calls=[call("[]")])),
    "its arguments are not a JSON text": messages(lambda m: m[2].update(tool_calls=[call({"sku": "T"})])),
    "its arguments do not fit: 'sku' is a required property": messages(lambda m: m[2].update(tool_calls=[call("{}")])),
    "its arguments do not fit: pieces: 'x' is not of type": messages(
        lambda m: m[2].update(tool_calls=[call('{"sku": "T", "pieces": "x"}')])
    ),
    "calls have the ids of other calls: a": messages(lambda m: m[2].update(tool_calls=[call(), call()])),
    "message 4: calls before it have no result: a": messages(lambda m: m.pop(3)),
    "message 4: no open call has the id 'b'": messages(lambda m: m[3].update(tool_call_id="b")),
    "message 4: it has no tool_call_id": messages(lambda m: m[3].pop("tool_call_id")),
    "message 5: no open call has the id 'a'": messages(lambda m: m.insert(4, dict(m[3]))),
    "message 4: the last message is not the assistant's": messages(lambda m: m.pop()),
    "message 3: its calls have no result: a": messages(lambda m: [m.pop(), m.pop()]),
    "its weight is neither 0 nor 1": messages(lambda m: m[4].update(weight=2)),
    "message 5: its weight is neither 0 nor 1": messages(lambda m: m[4].update(weight=True)),
    "message 3: its weight is neither 0 nor 1": messages(lambda m: m[2].update(weight=1.0)),
    "nothing is learnt": messages(lambda m: [m[2].update(weight=0), m[4].update(weight=0)]),
    "tools is empty": lambda e: e.update(tools=[]),
    "tool 2: there is another tool price": lambda e: e["tools"].append(TOOL),
    "tool 1: it is not": lambda e: e.update(tools=[{"name": "price"}]),
    "tool 1: its name 'a b' is not": lambda e: e["tools"][0]["function"].update(name="a b"),
    "are not the schema of an object": lambda e: e["tools"][0]["function"].update(parameters={"type": "array"}),
    "are no JSON schema": lambda e: e["tools"][0]["function"]["parameters"].update(required="sku"),
    "there are 129 tools": lambda e: e.update(tools=[TOOL] * 129),
    "parallel_tool_calls is true or false": lambda e: e.update(parallel_tool_calls="yes"),
    "its tool's parameters cannot be used": lambda e: e["tools"][0]["function"].update(
        parameters={"$ref": "http://127.0.0.1:9/elsewhere.json"}
    ),
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_breaks_a_rule_is_named(problem):
    wrong = copy.deepcopy(example())
    WRONG[problem](wrong)
    assert any(problem in found for found in problems_of(wrong)), list(problems_of(wrong))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "tool_calls", "id", "type", "function", "name", "arguments", "messages", "tools"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_whatever_a_line_holds_is_judged_and_never_breaks_the_check(value, tools):
    assert isinstance(list(problems_of(value)), list)
    assert isinstance(
        list(problems_of({"messages": [value, {"role": "assistant", "content": "x"}], "tools": tools})), list
    )


def test_a_file_is_counted_and_priced(tmp_path):
    examples = [example(word) for word in WORDS]
    report = validate(written(tmp_path / "train.jsonl", examples))
    assert (report.examples, report.problems) == (12, [])
    assert report.total == sum(map(tokens_of, examples))
    assert report.cost(None, 3) is None
    assert report.cost(25.0, 3) == pytest.approx(report.total * 3 * 25 / 1e6)


def test_lines_that_are_no_json_are_named_by_number(tmp_path):
    path = written(tmp_path / "train.jsonl", [example("tent"), "{", "", example("stove"), '{"messages": NaN}'])
    path.write_bytes(path.read_bytes() + b'"\xff"\n')
    assert [(each.line, each.message.partition(":")[0]) for each in validate(path).problems] == [
        (None, "2 examples"),
        (2, "it is not valid JSON"),
        (3, "it is empty"),
        (5, "it is not valid JSON"),
        (6, "it is not UTF-8"),
    ]


def test_repetitions_and_what_is_held_out_are_found(tmp_path):
    again = example("tent")
    again["messages"][1]["content"] = again["messages"][1]["content"].upper() + " !"
    path = written(tmp_path / "train.jsonl", [*(example(word) for word in WORDS), again])
    held_out = written(tmp_path / "kept.jsonl", [example("rope")])
    assert [(each.line, each.message) for each in validate(path, held_out).problems] == [
        (5, "it is nearly what is held out for evaluation, in line 1"),
        (13, "it is nearly the same as line 1"),
    ]


def test_an_example_past_the_training_context_is_named(tmp_path):
    long = example()
    long["messages"][1]["content"] = "word " * MOST_TOKENS
    found = validate(written(tmp_path / "train.jsonl", [*(example(word) for word in WORDS[1:]), long])).problems
    assert [(each.line, "at most 65,536" in each.message) for each in found] == [(12, True)]


def test_the_command_names_lines_and_ends_with_what_it_found(tmp_path):
    path = written(tmp_path / "train.jsonl", [example(word) for word in WORDS])
    done = selfhelp("validate", "train.jsonl", "--price", "25", "--epochs", "2")
    assert done.exit_code == 0, done.output
    assert "examples  12" in done.output
    assert "for 2 epochs" in done.output
    written(tmp_path / "held-out.jsonl", [example("rope")])
    done = selfhelp("validate", "train.jsonl")
    assert done.exit_code == 1
    assert "train.jsonl:5: it is nearly what is held out for evaluation, in line 1" in done.output
    assert "cost  not known" in done.output
    path.write_text("{\n")
    done = selfhelp("validate", "train.jsonl", "--json")
    assert done.exit_code == 1
    assert [problem["line"] for problem in json.loads(done.output)["problems"]] == [None, 1]


def test_a_file_that_is_not_there_is_a_wrong_use_of_the_command(run):
    done = run("finetune", "validate", "missing.jsonl")
    assert (done.returncode, done.stderr) == (2, "error: missing.jsonl cannot be read: No such file or directory\n")
