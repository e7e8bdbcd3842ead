"""Sets are read with care: what is wrong is named with its line."""

from __future__ import annotations

import pytest

from agent.errors import SettingsError
from service.evaluation.cases import Case, read_cases, spread

GOOD = '{"id": "a", "question": "Why?", "facts": ["so", ["5", {"number": 5}], {"regex": "x+"}, {"asks_back": true}]}'


def written(tmp_path, *lines):
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ("[]", "Input should be a valid dictionary"),
        ('{"id": "b"}', "either a question or turns"),
        ('{"id": "b", "question": "Q", "turns": ["Q"]}', "either a question or turns"),
        ('{"id": "b", "question": "Q", "fact": ["x"]}', "fact: Extra inputs"),
        ('{"id": "b", "question": "Q", "facts": [{"regex": "("}]}', "no regular expression"),
        ('{"id": "b", "question": "Q", "approvals": [{"tool": "pay", "answer": "maybe"}]}', "approvals.0.answer"),
        ('{"id": "b", "question": "Q", "budget": {"tokens": 0}}', "budget.tokens"),
    ],
)
def test_a_line_that_is_no_case_is_named_by_its_number(tmp_path, line, said):
    with pytest.raises(SettingsError) as refused:
        read_cases(written(tmp_path, GOOD, "", line))
    assert "set.jsonl, line 3: " in str(refused.value)
    assert said in str(refused.value)


def test_lines_end_where_those_of_json_do(tmp_path):
    [case] = read_cases(written(tmp_path, '{"id": "a", "question": "one\u2028two\x85three", "facts": ["so"]}', ""))
    assert case.question == "one\u2028two\x85three"


def test_what_else_is_wrong_with_a_set_is_said(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_cases(tmp_path / "none.jsonl")
    with pytest.raises(SettingsError, match="has no cases"):
        read_cases(written(tmp_path, ""))
    with pytest.raises(SettingsError, match="several cases of the id a"):
        read_cases(written(tmp_path, GOOD, GOOD))


def test_every_field_says_what_it_is():
    schema = Case.model_json_schema()
    for definition in (schema, *schema["$defs"].values()):
        assert all("description" in field for field in definition["properties"].values()), definition["title"]


def test_a_limit_takes_cases_evenly_from_the_whole_set():
    cases = [Case(id=str(number), question="Q") for number in range(10)]
    assert [case.id for case in spread(cases, 4)] == ["0", "2", "5", "7"]
    assert spread(cases, 20) == spread(cases, None) == cases


def test_expectations_may_change_without_asking_again():
    case = Case(id="a", question="Q")
    assert case.asked == case.model_copy(update={"facts": ["x"], "tags": ["t"]}).asked
    assert case.asked != case.model_copy(update={"collection": "other"}).asked
