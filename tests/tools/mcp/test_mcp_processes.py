"""Servers that do not start, and that none of them stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.mcp_servers import McpSettings
from tests.tools.mcp.conftest import is_alive
from tools.mcp import Connection, McpFailed, load_server

CALLER = """
import asyncio, sys
from agent.background import in_background
from agent.mcp_servers import McpSettings
from tools.mcp import Connection, load_server

settings = McpSettings.model_validate_json(sys.argv[1])

async def call():
    [keep] = (await load_server(Connection(settings))).tools
    print(await keep.ainvoke({"text": "a"}), flush=True)
    if "waits" in sys.argv:
        await asyncio.sleep(600)

in_background(call()) if "background" in sys.argv else asyncio.run(call())
"""
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": "no-such-program"}, "it ended: no-such-program: No such file or directory"),
        ({"command": sys.executable, "args": ["-c", "print('hello')"]}, "it ended"),
        ({"command": "true", "cwd": "no/such/folder"}, "No such file or directory"),
        ({"command": "true", "env": ["NOT_SET_HERE"]}, "NOT_SET_HERE is not set"),
        ({"url": "http://127.0.0.1:9/mcp"}, "cannot be reached"),
        ({"url": "http://127.0.0.1:9/mcp", "auth": {"bearer_env": "NOT_SET_HERE"}}, "NOT_SET_HERE is not set"),
    ],
)
async def test_a_server_that_is_not_there_says_why(settings, message):
    with pytest.raises(McpFailed, match=message):
        await load_server(Connection(McpSettings(name="files", **settings)))


async def test_a_server_that_breaks_off_at_its_start_is_quoted(unruly):
    with pytest.raises(McpFailed, match="it ended: no licence found"):
        await load_server(Connection(unruly("breaks-at-start")))


async def test_a_server_that_hangs_at_its_start_is_ended(unruly):
    with pytest.raises(McpFailed, match=r"not ready within 0\.3 seconds"):
        await load_server(Connection(unruly("hangs-at-start", timeout=0.3)))


def _caller(settings: McpSettings, *how: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", CALLER, settings.model_dump_json(exclude_defaults=True), *how]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize("how", ["background", "own loop"])
def test_a_server_ends_with_the_program_that_uses_it(unruly, log, how):
    with _caller(unruly(include=["keep"]), how) as caller:
        assert caller.stdout.read() == "kept\n"
    assert caller.returncode == 0
    [server] = log.processes
    assert not is_alive(server)


async def test_a_server_that_would_stay_ends_when_the_program_is_killed(unruly, log):
    with _caller(unruly("stays", include=["keep"]), "waits") as caller:
        assert caller.stdout.readline() == "kept\n"
        [server] = log.processes
        assert is_alive(server)
        os.kill(caller.pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while is_alive(server):
            await asyncio.sleep(0.01)
