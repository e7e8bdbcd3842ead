"""What a case expects, held against what came of it."""

from __future__ import annotations

import pytest

from service.evaluation.cases import Case
from service.evaluation.checks import judged, plan_quality
from service.evaluation.outcomes import Asked, Cited, Outcome, StepTaken


def call(cost=0.001):
    return {"input": 100, "cached": 0, "output": 20, "cost": cost}


def outcome(answer="", tools=(), cited=(), consents=(), **more):
    return Outcome(
        case="a",
        asked="q",
        configuration="c",
        name="n",
        answers=["An earlier answer: 99", answer],
        steps=[StepTaken(tool=tool, args={}, status="finished") for tool in tools],
        cited=[Cited(number=number, document=document) for number, document in enumerate(cited, start=1)],
        consents=list(consents),
        **more,
    )


def faults(expected, came):
    return [(fault.aspect, fault.text) for fault in judged(Case(id="a", question="Q", **expected), came).faults]


@pytest.mark.parametrize(
    ("expected", "good", "bad", "said"),
    [
        ({"facts": ["30 days"]}, "30 days.", "14 days.", "it does not say 30 days"),
        ({"facts": [["5 years", {"number": 60}]]}, "sixty months", "4 years", "it does not say 5 years or 60"),
        ({"absent": ["500 EUR"]}, "5 EUR", "500 EUR", "it says 500 EUR"),
        ({"absent": [{"refuses": True}]}, "No.", "I do not know.", "it says that it does not know"),
        ({"refuses": True}, "I do not know.", "Yes.", "it does not say that it does not know"),
        ({"facts": [{"asks_back": True}]}, "Which one?", "That one.", "it does not say a question back"),
    ],
)
def test_the_last_answer_is_checked(expected, good, bad, said):
    assert faults(expected, outcome(good)) == []
    assert faults(expected, outcome(bad)) == [("answer", said)]


def test_a_failure_is_no_right_answer():
    assert faults({"absent": ["x"]}, outcome(failed="no model")) == [("answer", "failed: no model")]


@pytest.mark.parametrize(
    ("expected", "good", "bad", "said"),
    [
        ({"tools": ["a", "b"]}, ["b", "a"], ["a", "reply"], "b was not called"),
        ({"trajectory": ["a", "b"]}, ["a", "x", "b"], ["b", "a"], "the calls b, a do not go a, b"),
    ],
)
def test_tools_are_checked(expected, good, bad, said):
    assert faults(expected, outcome(tools=good)) == []
    assert faults(expected, outcome(tools=bad)) == [("tools", said)]


def test_a_tool_that_may_not_be_called_makes_it_wrong():
    verdict = judged(Case(id="a", question="Q", forbidden_tools=["pay"]), outcome(tools=["pay"]))
    assert not verdict.correct
    assert verdict.says_right


def test_consent_is_asked_for_what_the_case_expects_and_nothing_else():
    expected = {"approvals": [{"tool": "pay", "args": {"euros": 5}}]}
    met = Asked(tool="pay", args={"euros": 5}, answer="approve", expected=0)
    assert faults(expected, outcome(consents=[met])) == []
    assert faults(expected, outcome()) == [("conduct", "nobody was asked about pay {'euros': 5}")]
    other = Asked(tool="pay", args={"euros": 7}, answer="reject")
    assert ("conduct", "a person was asked about pay {'euros': 7}") in faults(expected, outcome(consents=[met, other]))


def test_citations_are_measured_in_documents():
    case = Case(id="a", question="Q", sources=["a.md", ["b.md", "c.md"]])
    verdict = judged(case, outcome(cited=["a.md", "a.md", "x.md"]))
    assert (verdict.precision, verdict.coverage) == (0.5, 0.5)
    assert [fault.text for fault in verdict.faults] == ["b.md or c.md is not cited"]
    assert verdict.correct
    assert not verdict.passed
    whole = judged(case, outcome(cited=["c.md", "a.md"]))
    assert (whole.precision, whole.coverage, whole.passed) == (1.0, 1.0, True)
    none = judged(case, outcome())
    assert (none.precision, none.coverage) == (None, 0.0)
    free = judged(Case(id="a", question="Q"), outcome(cited=["a.md"]))
    assert (free.precision, free.coverage) == (None, None)


def test_a_budget_holds_and_a_cost_that_is_not_known_is_over_it():
    assert faults({"budget": {"model_calls": 1, "tokens": 120, "cost": 0.001}}, outcome(calls=[call()])) == []
    assert faults({"budget": {"model_calls": 1}}, outcome(calls=[call(), call()])) == [("budget", "2 model calls of 1")]
    assert faults({"budget": {"tokens": 119}}, outcome(calls=[call()])) == [("budget", "120 tokens of 119")]
    over = faults({"budget": {"cost": 1.0}}, outcome(calls=[call(), call(None)]))
    assert over == [("budget", "a cost that is not known of $1.00000")]


@pytest.mark.parametrize(
    ("least", "calls", "quality"),
    [(2, 2, 1.0), (2, 4, 0.5), (2, 1, 0.5), (2, 0, 0.0), (0, 0, 1.0), (0, 3, 0.0), (None, 3, None)],
)
def test_a_plan_is_best_with_the_fewest_calls_that_do(least, calls, quality):
    assert plan_quality(least, calls) == quality
