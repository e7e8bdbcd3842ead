"""`selfhelp mcp`, as the official client meets it, and `selfhelp mcp check`."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from rich.console import Console

from agent.settings import Settings, load_settings
from service.mcp_servers import check
from tests.support.model_server import Reply
from tests.support.processes import SELFHELP, free_port

DOCS = (Path(__file__).parents[2] / "docs" / "mcp.md").read_text(encoding="utf-8")
UNRULY = Path(__file__).parents[1] / "tools" / "mcp" / "unruly.py"
OWN_TOOLS = '''
from langchain_core.tools import tool
from tools.effects import reads

@reads
@tool
def stock(sku: str) -> dict:
    """Pieces of a product in the warehouse."""
    print("this must not reach the protocol", flush=True)
    return {"sku": sku, "pieces": 14}

@tool
def order(sku: str) -> str:
    """Order more of a product."""
    open("orders.txt", "a").write(f"{sku}\\\\n")
    return "ordered"
'''


@pytest.fixture
def deployment(environment, tmp_path):
    (tmp_path / "own.py").write_text(OWN_TOOLS.replace("\\\\n", "\\n"))
    return {
        **{name: environment[name] for name in environment if name.startswith("SELFHELP_")},
        "SELFHELP_TOOLS": '["own:stock", "own:order"]',
        "SELFHELP_APPROVALS": '{"*": "never"}',
        "PYTHONPATH": str(tmp_path),
    }


@pytest.fixture
def client(deployment, tmp_path):
    @asynccontextmanager
    async def connected(*options):
        server = StdioServerParameters(command=SELFHELP, args=["mcp", *options], env=deployment, cwd=tmp_path)
        with (tmp_path / "stderr.txt").open("w") as errors:
            async with Client(stdio_client(server, errlog=errors)) as mcp:
                yield mcp

    return connected


async def test_tools_that_read_are_served_and_writes_are_not(client, tmp_path, caplog):
    async with client() as mcp:
        tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}
        assert tools.keys() == {"ask", "calculator", "clock", "stock"}
        assert tools["stock"].annotations.read_only_hint is True
        stock = await mcp.call_tool("stock", {"sku": "TENT-2"})
        assert stock.structured_content == {"sku": "TENT-2", "pieces": 14}
        wrong = await mcp.call_tool("stock", {"number": 1})
        assert (wrong.is_error, "takes no argument 'number'" in wrong.content[0].text) == (True, True)
        refused = await mcp.call_tool("order", {"sku": "TENT-2"})
        assert (refused.is_error, "no tool 'order'" in refused.content[0].text) == (True, True)
    assert not (tmp_path / "orders.txt").exists()
    assert "this must not reach the protocol" in (tmp_path / "stderr.txt").read_text()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_what_the_assistant_would_write_waits_for_a_person(client, model_server, run, deployment, tmp_path):
    model_server.will(Reply(calls=[("order", {"sku": "TENT-2"})]))
    async with client() as mcp:
        asked = await mcp.call_tool("ask", {"question": "Order a TENT-2"})
    [waiting] = asked.structured_content["waiting"]
    assert (waiting["name"], waiting["args"]) == ("order", {"sku": "TENT-2"})
    assert "selfhelp approve --thread" in asked.content[0].text
    assert not (tmp_path / "orders.txt").exists()
    model_server.will("Ordered.")
    done = await asyncio.to_thread(
        lambda: run("approve", "--thread", asked.structured_content["thread"], "--yes", **deployment)
    )
    assert "Ordered." in done.stdout, done.stderr
    assert (tmp_path / "orders.txt").read_text() == "TENT-2\n"


async def test_with_writes_the_assistant_does_what_it_is_asked_and_carries_its_thread_on(
    client, model_server, tmp_path
):
    model_server.will(Reply(calls=[("order", {"sku": "TENT-3"})]), "Ordered.", "You asked for TENT-3.")
    async with client("--writes") as mcp:
        tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}
        assert tools["order"].annotations.read_only_hint is False
        assert (await mcp.call_tool("order", {"sku": "TENT-2"})).content[0].text == "ordered"
        first = await mcp.call_tool("ask", {"question": "And a TENT-3, please"})
        assert first.content[0].text == "Ordered."
        thread = first.structured_content["thread"]
        second = await mcp.call_tool("ask", {"question": "What did I ask for?", "thread": thread})
        assert second.content[0].text == "You asked for TENT-3."
        empty = await mcp.call_tool("ask", {"question": ""})
        assert (empty.is_error, empty.content[0].text.startswith("question:")) == (True, True)
    assert (tmp_path / "orders.txt").read_text() == "TENT-2\nTENT-3\n"
    assert "And a TENT-3" in str(model_server.requests[-1])


async def test_it_is_served_by_http_on_this_machine(deployment, tmp_path):
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        SELFHELP, "mcp", "--http", "--port", str(port), env=os.environ | deployment, cwd=tmp_path
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)
        writer.close()
        async with Client(f"http://127.0.0.1:{port}/mcp") as mcp:
            assert (await mcp.call_tool("calculator", {"expression": "6*7"})).content[0].text == "42"
    finally:
        server.terminate()
        await server.wait()


def test_check_shows_each_servers_tools_and_what_is_wrong(run, tmp_path):
    toml = f"""
        [[mcp]]
        name = "files"
        command = ["{sys.executable}", "{UNRULY}"]
        env = ["UNRULY_LOG"]
        include = ["look", "keep", "afar"]
        trust_annotations = true

        [[mcp]]
        name = "gone"
        command = "no-such-program"
    """
    (tmp_path / "selfhelp.toml").write_text(textwrap.dedent(toml))
    log = str(tmp_path / "log")
    done = run("mcp", "check", UNRULY_LOG=log)
    assert done.returncode == 1
    assert "read  look  MCP files/look" in done.stdout, done.stderr
    assert "write keep  MCP files/keep" in done.stdout
    assert "skipped afar: $ref" in done.stdout
    assert "gone: it ended: no-such-program: No such file or directory" in done.stdout


async def test_check_gives_facts_as_json(tmp_path, monkeypatch):
    monkeypatch.setenv("UNRULY_LOG", str(tmp_path / "log"))
    files = {"name": "files", "command": [sys.executable, str(UNRULY)], "env": ["UNRULY_LOG"], "include": ["keep"]}
    gone = {"name": "gone", "command": "no-such-program"}
    out = io.StringIO()
    assert not await check(Settings(mcp=[gone, files]), Console(file=out), as_json=True)
    missing, facts = map(json.loads, out.getvalue().splitlines())
    assert missing == {"name": "gone", "error": "it ended: no-such-program: No such file or directory"}
    assert [(tool["name"], tool["effect"]) for tool in facts["tools"]] == [("keep", "write")]
    assert {"tool": "look", "reason": "left out by include and exclude"} in facts["skipped"]


def test_the_page_shows_settings_and_code_that_work(tmp_path):
    [settings] = re.findall(r"```toml\n(.*?)```", DOCS, flags=re.DOTALL)
    [snippet] = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)
    (tmp_path / "selfhelp.toml").write_text(settings)
    assert [server.name for server in load_settings().mcp] == ["files", "tickets"]
    (tmp_path / "selfhelp.toml").unlink()
    environment = os.environ | {"PATH": f"{Path(SELFHELP).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-c", snippet], check=False, cwd=tmp_path, capture_output=True, text=True, timeout=200,
        env=environment,
    )  # fmt: skip
    assert done.stdout == "42\n", done.stderr
