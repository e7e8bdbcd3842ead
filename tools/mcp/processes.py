"""Servers that are started as processes of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from mcp.client.stdio import StdioServerParameters, stdio_client

from agent.mcp_servers import McpSettings
from tools.mcp.errors import McpFailed
from tools.mcp.streams import Streams

_LEASH = Path(__file__).with_name("leash.py")
_PIECE = 4096
_LAST_WORDS = 1.0  # seconds


class ErrorOutput:
    """The end of what a server wrote to its standard error."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque(maxlen=2)

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read until it closes."""
        while piece := await reader.read(_PIECE):
            self._pieces.append(piece)

    @property
    def last_line(self) -> str:
        """The last line that says anything."""
        lines = b"".join(self._pieces).decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def passed_on(settings: McpSettings) -> dict[str, str]:
    """Return the environment variables that the settings name.

    Raises:
        McpFailed: one is not set.
    """
    missing = [name for name in settings.env if name not in os.environ]
    if missing:
        raise McpFailed(f"the environment variable {', '.join(missing)} is not set: the server is to get it")
    return {name: os.environ[name] for name in settings.env}


@asynccontextmanager
async def process(settings: McpSettings, errors: ErrorOutput) -> AsyncIterator[Streams]:
    """Start a server and speak with it over its standard input and output. It is ended with the context.

    Args:
        settings: its command.
        errors: keeps the end of its standard error.

    Raises:
        OSError: it cannot be started.
        McpFailed: an environment variable that it is to get is not set.
    """
    assert settings.command, "a server without an address has a command"
    command = [settings.command, *settings.args]
    if os.name == "posix":  # Windows ends what belongs together by itself
        command = [sys.executable, "-I", "-S", str(_LEASH), *command]
    program = StdioServerParameters(command=command[0], args=command[1:], env=passed_on(settings), cwd=settings.cwd)
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as written:
        reading = await _reading(read_end, errors)
        try:
            async with stdio_client(program, errlog=written) as streams:
                # Now only the server holds it, so that it closes with the server.
                written.close()
                yield streams
        finally:
            written.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(reading, _LAST_WORDS)


async def _reading(read_end: int, errors: ErrorOutput) -> asyncio.Task[None]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    task = loop.create_task(errors.read(reader))
    task.add_done_callback(lambda _: transport.close())
    return task
