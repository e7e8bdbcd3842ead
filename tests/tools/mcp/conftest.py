from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from langchain_core.tools import BaseTool

from agent.mcp_servers import McpSettings
from agent.models.weights import cache_dir
from tools.mcp import Connection, load_server

UNRULY = Path(__file__).with_name("unruly.py")
EVERYTHING = "@modelcontextprotocol/server-everything"
EVERYTHING_VERSION = "2026.1.26"


class Log:
    """What the unruly server wrote down."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def lines(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []

    @property
    def calls(self) -> list[str]:
        return [line for line in self.lines if not line.startswith("start")]

    @property
    def processes(self) -> list[int]:
        return [int(line.split()[1]) for line in self.lines if line.startswith("start")]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    path = tmp_path / "unruly.log"
    monkeypatch.setenv("UNRULY_LOG", str(path))
    return Log(path)


@pytest.fixture
def unruly(log: Log) -> Callable[..., McpSettings]:
    def settings(*arguments: str, env: tuple[str, ...] = (), **more: Any) -> McpSettings:
        command = [sys.executable, "-S", str(UNRULY), *arguments]
        return McpSettings(**{"name": "files", "command": command, "env": ["UNRULY_LOG", *env], **more})

    return settings


@pytest.fixture
def tools(unruly: Callable[..., McpSettings]) -> Callable[..., Any]:
    """Start the unruly server and give its tools by name."""

    async def loaded(*arguments: str, **settings: Any) -> dict[str, BaseTool]:
        server = await load_server(Connection(unruly(*arguments, **settings)))
        return {tool.name: tool for tool in server.tools}

    return loaded


@pytest.fixture(scope="session")
def everything() -> Path:
    """The reference server of the MCP project, from npm; the cache keeps it."""
    folder = cache_dir() / "npm" / f"server-everything-{EVERYTHING_VERSION}"
    program = folder / "node_modules" / EVERYTHING / "dist" / "index.js"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "complete").exists():
            install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(
                [*install, f"{EVERYTHING}@{EVERYTHING_VERSION}"], check=True, timeout=110, capture_output=True
            )
            (folder / "complete").touch()
    return program


def is_alive(process: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
