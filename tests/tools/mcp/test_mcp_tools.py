"""What a server says of its tools, and what becomes of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agent.mcp_servers import McpSettings
from agent.toolset import BoundTool
from tools.mcp import Connection, McpFailed, load_server


async def test_every_tool_writes_unless_the_settings_say_otherwise(tools):
    assert {tool.metadata["effect"] for tool in (await tools()).values()} == {"write"}


async def test_what_the_server_says_counts_where_the_settings_trust_it(tools):
    found = await tools(trust_annotations=True)
    assert [name for name, tool in found.items() if tool.metadata["effect"] == "read"] == ["look"]


async def test_the_settings_correct_what_a_tool_does(tools):
    found = await tools(trust_annotations=True, effects={"look": "write", "s*": "read"})
    reads = {name for name, tool in found.items() if tool.metadata["effect"] == "read"}
    assert reads == {"structured", "several", "slow_pattern"}


async def test_tools_are_chosen_by_pattern(unruly):
    server = await load_server(Connection(unruly(include=["l*", "keep"], exclude=["keep"], always=["look"])))
    assert [tool.name for tool in server.tools] == ["look"]
    assert "keep" in [each.tool for each in server.skipped]
    assert server.tools[0].metadata["always"] is True
    assert server.tools[0].metadata["catalogue"] == "files"


async def test_settings_about_a_tool_that_is_not_there_are_an_error(unruly):
    with pytest.raises(McpFailed, match="no tool 'loook'"):
        await load_server(Connection(unruly(effects={"loook": "read"})))


async def test_descriptions_lose_what_nobody_sees_and_what_reads_as_another_speaker(tools):
    description = (await tools())["look"].description
    assert description.startswith("Look a text up.")
    assert all(character.isascii() for character in description)
    assert "<|im_start|>" not in description


async def test_a_schema_that_leads_out_of_itself_is_skipped(unruly):
    server = await load_server(Connection(unruly()))
    [skipped] = server.skipped
    assert (skipped.tool, "leads out of the document" in skipped.reason) == ("afar", True)


async def test_a_schemas_pattern_is_never_run_here(tools):
    tool = BoundTool((await tools())["slow_pattern"])
    assert list(tool.problems({"a": "a" * 40 + "b"})) == []


async def test_the_model_is_told_what_a_tool_gives(tools):
    assert (await tools())["structured"].description == "structured. Returns {total}."


async def test_a_person_is_shown_tool_server_and_arguments(tools):
    tool = BoundTool((await tools())["keep"])
    assert tool.preview({"text": "hi"}) == 'keep of the MCP server files\n{\n  "text": "hi"\n}'
    assert (tool.method, tool.honours_key) == ("MCP", False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "a"}, "either command or url"),
        ({"name": "a", "command": "x", "url": "http://x"}, "either command or url"),
        ({"name": "a", "url": "http://x", "env": ["X"]}, "env does not go with url"),
        ({"name": "a", "command": "x", "auth": {"bearer_env": "X"}}, "auth does not go with command"),
        ({"name": "a", "url": "file:///x"}, "url"),
    ],
)
def test_settings_that_fit_no_server_are_an_error(given, message):
    with pytest.raises(ValidationError, match=message):
        McpSettings.model_validate(given)


def test_a_command_may_be_written_as_one_list():
    settings = McpSettings.model_validate({"name": "a", "command": ["npx", "-y", "x"], "args": ["z"]})
    assert (settings.command, settings.args) == ("npx", ["-y", "x", "z"])
