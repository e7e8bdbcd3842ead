"""Cases run through the real graphs, over the example company, each with a backend of its own."""

from __future__ import annotations

import asyncio
import json

import pytest

from service.evaluation.cases import Case
from service.evaluation.checks import judged
from service.evaluation.configurations import Configuration
from service.evaluation.lines import Lines
from service.evaluation.outcomes import Outcome
from service.evaluation.runs import UNEXPECTED, run
from service.evaluation.schedule import jobs, work_off
from tests.support.model_server import Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASSISTANT, REACT = Configuration(name="assistant"), Configuration(name="react", graph="react")
REFUND = Reply(calls=[("createRefund", {"order_id": 1042, "amount": 5})])


@pytest.fixture(autouse=True)
def whole_script(scripted):
    scripted.repeat = None
    scripted.requests.clear()
    yield
    scripted.repeat = None
    scripted.verify()


def results(body):
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


async def asked(case, configuration, company, **more):
    return await run(case, configuration, company, "fingerprint", **more)


@pytest.mark.parametrize("configuration", [ASSISTANT, REACT], ids=lambda each: each.name)
async def test_a_question_runs_through_the_graph(configuration, scripted, company):
    scripted.will(Reply(calls=[("search", {"query": "gift card valid"})]), "It is valid for 5 years [1].")
    outcome = await asked(Case(id="a", question="How long?"), configuration, company)
    assert outcome.failed is None
    assert [step.tool for step in outcome.steps] == ["search"]
    assert [call["output"] > 0 for call in outcome.calls] == [True, True]
    assert len(outcome.seconds) == 1
    # The agent loop's model is shown no numbers to cite.
    assert [cited.document for cited in outcome.cited] == (["gift-cards.md"] if configuration is ASSISTANT else [])
    assert outcome.cost is None, "the price of a scripted model is not known"


@pytest.mark.parametrize("configuration", [ASSISTANT, REACT], ids=lambda each: each.name)
async def test_turns_are_one_conversation_and_their_figures_add_up(configuration, scripted, company):
    def remembers(body):
        assert [message["content"] for message in body["messages"] if message["role"] == "user"] == ["One", "Two"]

    scripted.will(Reply(calls=[("get_order", {"order_id": 1012})]), "First.", Reply("Second.", check=remembers))
    outcome = await asked(Case(id="a", turns=["One", "Two"]), configuration, company)
    assert outcome.answers == ["First.", "Second."]
    assert (len(outcome.seconds), len(outcome.calls), [step.tool for step in outcome.steps]) == (2, 3, ["get_order"])


@pytest.mark.parametrize("configuration", [ASSISTANT, REACT], ids=lambda each: each.name)
@pytest.mark.parametrize(
    ("consent", "told"),
    [
        ({"answer": "approve"}, '"account_balance":30.0'),
        ({"answer": "edit", "edited": {"amount": 7}}, '"account_balance":32.0'),
        ({"answer": "reject", "message": "Too early."}, "Too early."),
        ({"answer": "respond", "message": "Done by hand."}, "Done by hand."),
    ],
)
async def test_the_simulated_person_answers_as_the_case_says(configuration, consent, told, scripted, company):
    def result(body):
        assert told in results(body)[-1].replace(": ", ":")

    scripted.will(REFUND, Reply("Done.", check=result))
    case = Case(id="a", question="Refund", approvals=[{"tool": "createRefund", "args": {"order_id": 1042}} | consent])
    outcome = await asked(case, configuration, company)
    assert [(each.tool, each.expected, each.answer) for each in outcome.consents] == [
        ("createRefund", 0, consent["answer"])
    ]
    assert judged(case, outcome).correct


@pytest.mark.parametrize(
    "approvals",
    [[], [{"tool": "createRefund", "args": {"amount": 6}}], [{"tool": "cancelOrder"}]],
    ids=["none expected", "other amount", "other tool"],
)
async def test_a_write_that_the_case_does_not_expect_is_rejected_and_a_fault(approvals, scripted, company):
    def rejected(body):
        assert UNEXPECTED in results(body)[-1]

    scripted.will(REFUND, Reply("No.", check=rejected))
    case = Case(id="a", question="Refund", approvals=approvals)
    outcome = await asked(case, ASSISTANT, company)
    assert [(each.expected, each.answer) for each in outcome.consents] == [(None, "reject")]
    assert not judged(case, outcome).correct


async def test_what_one_case_writes_no_other_case_sees(scripted, company):
    balances = []

    def reply(body):
        if not results(body):
            return REFUND
        balances.append(json.loads(results(body)[-1])["account_balance"])
        return Reply("Done.")

    scripted.repeat = reply
    case = Case(id="a", question="Refund", approvals=[{"tool": "createRefund"}])
    await asyncio.gather(*(asked(case, ASSISTANT, company) for _ in range(3)))
    assert balances == [30.0, 30.0, 30.0]


async def test_a_model_that_cannot_be_reached_is_a_failure_that_is_asked_again(scripted, company, tmp_path):
    scripted.repeat = lambda body: Reply(status=400)
    lines = Lines(tmp_path / "outcomes.jsonl", Outcome)
    wanted = jobs([Case(id="a", question="How long are gift cards valid?")], [ASSISTANT, REACT], company.settings)
    told = []
    await work_off(wanted, lines, company, 2, lambda job, outcome: told.append(outcome.failed))
    assert len(told) == 2
    assert all(told)
    scripted.repeat = lambda body: Reply("Here I am.")
    await work_off(wanted, lines, company, 2, lambda job, outcome: told.append(outcome.failed))
    assert told[2:] == [None, None]
    await work_off(wanted, lines, company, 2, lambda job, outcome: told.append(outcome.failed))
    assert len(told) == 4
    lines.close()


async def test_a_case_that_takes_too_long_ends(scripted, company):
    scripted.repeat = lambda body: Reply(calls=[("get_order", {"order_id": 1012})])
    outcome = await asked(Case(id="a", question="Q"), REACT, company, patience=0.01)
    assert outcome.failed == "it took longer than 0 s"


async def test_an_agent_loop_that_never_stops_ends(scripted, company):
    scripted.repeat = lambda body: Reply(calls=[("calculator", {"expression": "1 + 1"})])
    outcome = await asked(Case(id="a", question="Q"), REACT, company)
    assert "recursion" in outcome.failed.lower()
