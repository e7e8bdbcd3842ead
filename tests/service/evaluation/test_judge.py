"""A model that judges answers, beside the rules."""

from __future__ import annotations

import json

import pytest

from agent.settings import Settings
from service.evaluation.cases import Case
from service.evaluation.judge import Judgement, agreement, judge_all, judgement_key
from service.evaluation.lines import Lines
from service.evaluation.outcomes import Outcome
from service.evaluation.summary import Result
from tests.support.model_server import Reply

CASE = Case(id="a", question="How long {x}?", facts=["5 years", ["a", "b"]], absent=["never"], support=["It is so."])
JUDGE = "compatible:judge"


def outcome(answer="5 years a", case="a"):
    return Outcome(case=case, asked="q", configuration="c", name="n", answers=[answer])


@pytest.fixture
def judgements(tmp_path):
    lines = Lines(tmp_path / "judgements.jsonl", Judgement)
    yield lines
    lines.close()


@pytest.fixture
def judging(model_server, judgements):
    settings = Settings(base_url=model_server.url)

    async def judge(*wanted):
        return await judge_all(wanted, judgements, JUDGE, settings, 2, lambda: None)

    return judge


def said(right, reason="because"):
    return json.dumps({"reasoning": reason, "score": right})


async def test_a_judge_is_shown_question_expectations_and_answer(model_server, judging, judgements):
    def shown(body):
        text = body["messages"][-1]["content"]
        for part in ("How long {x}?", "It says 5 years.", "It says a or b.", "It does not say never.", "It is so."):
            assert part in text
        assert text.index("5 years a") > text.index("<answer>")
        assert body["model"] == "judge"

    model_server.will(Reply(said(right=True), check=shown))
    assert await judging((CASE, outcome())) == []
    judgement = judgements.get(judgement_key(JUDGE, CASE, outcome()))
    assert (judgement.right, judgement.reason) == (True, "because")


async def test_what_was_judged_is_not_judged_again_unless_answer_or_expectation_changed(model_server, judging):
    model_server.will(said(right=True))
    await judging((CASE, outcome()))
    await judging((CASE, outcome()))
    model_server.will(said(right=False), said(right=False))
    await judging((CASE, outcome("other")), (CASE.model_copy(update={"facts": ["6 years"]}), outcome()))


async def test_one_that_cannot_be_judged_is_named_and_the_others_are_judged(model_server, judging, judgements):
    model_server.repeat = lambda body: Reply(
        said(right=True) if "second" in body["messages"][-1]["content"] else "I would say yes"
    )
    other = CASE.model_copy(update={"id": "b"})
    failures = await judging((CASE, outcome()), (other, outcome("second", "b")))
    assert len(failures) == 1
    assert failures[0].startswith("a: ")
    assert judgements.get(judgement_key(JUDGE, other, outcome("second", "b"))).right


def test_agreement_with_the_rules_is_beyond_chance():
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    results = [Result.of(CASE, outcome("5 years a" if rules else "no"), judge) for judge, rules in pairs]
    found = agreement([*results, Result.of(CASE, outcome())])
    assert (found.of, found.same, found.lenient, found.strict) == (50, 35, 5, 10)
    assert found.kappa == pytest.approx(0.4)
    assert agreement([Result.of(CASE, outcome())]) is None
