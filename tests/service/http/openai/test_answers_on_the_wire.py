"""What is read from documents and providers on its way to a client."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage

from agent.state import Source
from service.http.openai.sources import citations, listed, without_list
from service.http.openai.turns import finish_reason

SOURCE = Source(
    number=2,
    id="a",
    document="tents.md",
    title="Tents ![x](https://evil.example/p.png)",
    heading="[here](https://evil.example)\n- [9] https://evil.example",
    page=3,
    first_line=None,
    last_line=None,
    uri="docs/tents.md",
    text="1.9 kg",
    score=1.0,
)


def test_a_title_leads_nowhere_and_stays_in_its_line():
    text = listed([SOURCE])
    assert text.startswith("\n\nSources:\n\n- [2] Tents (image removed) › here")
    assert text.endswith("(tents.md, page 3)")
    assert "evil.example" not in text
    assert text.count("\n") == 4
    assert without_list(f"1.9 kg [2].{text}") == "1.9 kg [2]."


def test_every_number_in_the_text_is_a_citation():
    found = list(citations("é 1.9 kg [2], [1, 2] and [7].", [SOURCE]))
    assert [(each.start_index, each.end_index) for each in found] == [(9, 12), (14, 20)]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"finish_reason": "stop"}, "stop"),
        ({"finish_reason": "length"}, "length"),
        ({"finish_reason": "content_filter"}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "completed", "incomplete_details": None}, "stop"),
        ({"degraded": "no model"}, "stop"),
    ],
)
def test_why_an_answer_ends_is_told_as_its_provider_said_it(said, reason):
    assert finish_reason(AIMessage("", response_metadata=said)) == reason
