"""Threads are read without checking messages again, and what is read is the same."""

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent.serializer import ThreadSerializer
from agent.state import Passage

CALL = {"name": "getOrder", "args": {"id": [1, None, 2.5]}, "id": "call_1", "type": "tool_call"}
PASSAGE = Passage(document="a.md", title="A", uri="a.md", text="word").model_dump()

MESSAGES: list[AnyMessage] = [
    HumanMessage("What is ▲?", id="1", name="ann"),
    HumanMessage([{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]),
    AIMessage(
        "", id="2", tool_calls=[CALL], usage_metadata=UsageMetadata(input_tokens=1, output_tokens=2, total_tokens=3)
    ),
    AIMessage(
        [{"type": "reasoning", "encrypted_content": "x"}, {"type": "text", "text": "Yes [1]."}],
        invalid_tool_calls=[{"name": "f", "args": "{", "id": "c", "error": "e", "type": "invalid_tool_call"}],
        response_metadata={"model_name": "m", "flags": []},
        additional_kwargs={"refusal": None},
    ),
    ToolMessage("14", tool_call_id="call_1", name="getOrder", artifact={"sources": [{"number": 1, **PASSAGE}]}),
    ToolMessage("no", tool_call_id="call_2", status="error", artifact={"value": [1, (2, 3)]}),
    SystemMessage("Be brief."),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_read_as_langgraph_reads_it(message):
    ours, langgraphs = ThreadSerializer(), JsonPlusSerializer()
    written = ours.dumps_typed([message])

    assert written == langgraphs.dumps_typed([message])
    [read], [checked] = ours.loads_typed(written), langgraphs.loads_typed(written)

    assert read == checked
    assert type(read) is type(checked)
    assert read.__dict__ == checked.__dict__
    assert read.__pydantic_fields_set__ == checked.__pydantic_fields_set__
    assert read.__pydantic_extra__ == checked.__pydantic_extra__
    assert read.__pydantic_private__ == checked.__pydantic_private__
    assert read.text == checked.text
    assert read.model_copy(update={"id": "other"}) == checked.model_copy(update={"id": "other"})


def test_a_message_that_another_version_wrote_is_checked():
    class Older(HumanMessage):
        """Has a field that ours has not, and lacks none."""

        colour: str = "red"

    Older.__module__, Older.__name__ = HumanMessage.__module__, HumanMessage.__name__
    [read] = ThreadSerializer().loads_typed(JsonPlusSerializer().dumps_typed([Older("Hello")]))

    assert type(read) is HumanMessage
    assert read == HumanMessage("Hello", colour="red")
