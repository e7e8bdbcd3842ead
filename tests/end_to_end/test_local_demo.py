from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from langgraph.types import Command

from agent.errors import ModelUnavailable
from agent.models.weights import joined
from benchmarks.local_model import DEMO, asked_of, company, faults, questions, thread
from service.demo import REFUND

pytestmark = [pytest.mark.local_model, pytest.mark.timeout(600)]


@pytest.fixture
async def assistant(tmp_path) -> AsyncIterator:
    try:
        joined()
    except ModelUnavailable as error:
        pytest.skip(f"the local weights are not installed: {error}")
    async with company(tmp_path) as graph:
        yield graph


async def test_the_embedded_model_answers_the_questions_of_the_demo(assistant):
    wrong = {}
    for number, question in enumerate(questions()[:DEMO]):
        state = await assistant.ainvoke(asked_of(question["question"]), thread(number))
        if found := faults(question, state):
            wrong[question["question"]] = [*found, str(state["messages"][-1].text)]
    assert wrong == {}


async def test_the_embedded_model_refunds_an_order_once_a_person_agrees(assistant):
    waiting = await assistant.ainvoke(asked_of(REFUND), thread("refund"))
    [asked] = waiting["__interrupt__"][0].value["action_requests"]
    assert asked["name"] == "createRefund"
    state = await assistant.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), thread("refund"))
    assert "113.90" in state["messages"][-1].text
