"""What comes back from a call, and what is said where nothing does."""

from __future__ import annotations

import logging

import pytest
from langchain_core.tools import ToolException

from agent.once import leaves_doubt
from tests.tools.mcp.conftest import is_alive
from tools.openapi import Unreachable

SECRET = "mcp-secret-72c1"


async def test_results_are_json_values(tools):
    found = await tools()
    assert await found["look"].ainvoke({"text": "abc"}) == {"text": "abc", "length": 3}
    assert await found["structured"].ainvoke({}) == {"total": 12.5}
    assert await found["keep"].ainvoke({"text": "abc"}) == "kept"
    assert await found["nothing"].ainvoke({}) == "done; it says nothing more"


async def test_what_is_no_text_is_told_in_words(tools):
    assert await (await tools())["several"].ainvoke({}) == [
        "plain",
        *("NaN", "null", "3.10", "1e5", "007", "12345678901234567890.5"),
        *(12, -1.5, True),
        "(image, image/png, 6 bytes)",
        "(file file:///x.bin, application/pdf, 3 bytes)",
        "of a file",
        {"name": "a", "uri": "https://example.com/a"},
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fail", "fail failed: The disk is full.$"),
        ("refuse", "refuse failed: I will not."),
        ("huge", "more than 5 MB"),
    ],
)
async def test_a_call_that_failed_says_why(tools, name, message):
    with pytest.raises(ToolException, match=message) as failed:
        await (await tools())[name].ainvoke({})
    assert not leaves_doubt(failed.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hang", "no answer within 3 seconds"),
        ("die", "ended in mid-call"),
        ("garbage", "not what MCP wants"),
    ],
)
async def test_where_there_is_no_answer_the_outcome_is_unknown_and_the_next_call_works(tools, log, name, message):
    found = await tools(timeout=3)
    with pytest.raises(Unreachable, match=message) as failed:
        await found[name].ainvoke({})
    assert leaves_doubt(failed.value)
    assert await found["keep"].ainvoke({"text": "a"}) == "kept"
    assert log.calls == [name, "keep"]


async def test_one_process_serves_all_calls_and_another_is_started_when_it_is_gone(tools, log):
    found = await tools()
    await found["keep"].ainvoke({"text": "a"})
    await found["keep"].ainvoke({"text": "b"})
    [first] = log.processes
    with pytest.raises(Unreachable):
        await found["die"].ainvoke({})
    assert await found["keep"].ainvoke({"text": "c"}) == "kept"
    assert not is_alive(first)
    assert len(log.processes) == 2


async def test_a_server_gets_the_named_variables_alone_and_their_values_do_not_come_out(tools, monkeypatch, caplog):
    monkeypatch.setenv("FILES_TOKEN", SECRET)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    with caplog.at_level(logging.DEBUG):
        found = await tools(env=("FILES_TOKEN",))
        assert await found["tell"].ainvoke({"name": "FILES_TOKEN"}) == "FILES_TOKEN=***"
        assert await found["tell"].ainvoke({"name": "OPENAI_API_KEY"}) == "OPENAI_API_KEY=None"
    assert SECRET not in caplog.text
