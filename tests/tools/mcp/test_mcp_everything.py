"""The MCP project's own reference server, as a process and by HTTP."""

from __future__ import annotations

import asyncio
import os
import subprocess

import pytest

from agent.mcp_servers import McpSettings
from agent.toolset import BoundTool
from tests.support.processes import free_port
from tools.mcp import Connection, McpFailed, load_server
from tools.openapi import Unreachable

TOKEN = "mcp-token-88d1"


async def by_name(settings: McpSettings):
    server = await load_server(Connection(settings))
    assert not server.skipped
    return {tool.name: tool for tool in server.tools}


async def used(tools):
    """Call what shows each kind of result."""
    assert await tools["echo"].ainvoke({"message": "hi"}) == "Echo: hi"
    assert await tools["get-sum"].ainvoke({"a": 2, "b": 3}) == "The sum of 2 and 3 is 5."
    weather = await tools["get-structured-content"].ainvoke({"location": "New York"})
    assert weather.keys() == {"temperature", "conditions", "humidity"}
    image = await tools["get-tiny-image"].ainvoke({})
    assert image[1].startswith("(image, image/png, ")
    assert list(BoundTool(tools["get-sum"]).problems({"a": "x"})) == ["a: 'x' is not of type 'number'", "get-sum: 'b' is a required property"]  # fmt: skip


async def test_it_is_used_as_a_process(everything):
    await used(await by_name(McpSettings(name="all", command="node", args=[str(everything), "stdio"])))


class Remote:
    """The server at an address, which can be killed and started again."""

    def __init__(self, program) -> None:
        self._program = program
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/mcp"

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(self._program), "streamableHttp"],
            env={**os.environ, "PORT": str(self._port)},
            stderr=subprocess.PIPE,
            text=True,
        )
        while "listening" not in self._process.stderr.readline():
            assert self._process.poll() is None, "the server did not start"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()


@pytest.fixture
def remote(everything):
    server = Remote(everything)
    server.start()
    yield server
    server.kill()


async def test_it_is_used_by_http_and_again_after_it_was_away(remote, monkeypatch, caplog):
    monkeypatch.setenv("REMOTE_TOKEN", TOKEN)
    caplog.set_level("DEBUG")
    tools = await by_name(McpSettings(name="all", url=remote.url, auth={"bearer_env": "REMOTE_TOKEN"}))
    await used(tools)
    await asyncio.to_thread(remote.kill)
    with pytest.raises(Unreachable) as away:
        await tools["echo"].ainvoke({"message": "hi"})
    assert away.value.may_have_arrived is False
    await asyncio.to_thread(remote.start)
    assert await tools["echo"].ainvoke({"message": "back"}) == "Echo: back"
    assert TOKEN not in caplog.text


async def test_a_name_must_not_lead_to_a_private_address(remote):
    url = remote.url.replace("127.0.0.1", "127.1")  # getaddrinfo takes it for a name of 127.0.0.1
    with pytest.raises(McpFailed, match=r"127\.1 has the private address 127\.0\.0\.1"):
        await by_name(McpSettings(name="all", url=url))
    assert "echo" in await by_name(McpSettings(name="all", url=url, allow_private=True))
