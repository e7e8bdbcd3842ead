from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.errors import ModelUnavailable
from agent.models.weights import joined
from benchmarks.local_model import DEMO, company, faults, questions


@pytest.fixture
async def assistant(tmp_path) -> AsyncIterator:
    try:
        joined()
    except ModelUnavailable as error:
        pytest.skip(f"the local weights are not installed: {error}")
    return await company(tmp_path)


@pytest.mark.local_model
@pytest.mark.timeout(600)
async def test_the_embedded_model_answers_the_questions_of_the_demo(assistant):
    wrong = {}
    for question in questions()[:DEMO]:
        state = await assistant.ainvoke({"messages": [("user", question["question"])]})
        if found := faults(question, state):
            wrong[question["question"]] = [*found, str(state["messages"][-1].text)]
    assert wrong == {}
