"""One open connection to a server, held by a task of its own."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version

from mcp import Client, ClientSession, MCPError, types
from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT
from pydantic import ValidationError

from agent.mcp_servers import McpSettings
from tools.mcp.errors import McpFailed
from tools.mcp.processes import ErrorOutput, process
from tools.mcp.remote import remote
from tools.mcp.streams import noticed
from tools.openapi.credentials import Secrets
from tools.openapi.texts import brief

MOST_TOOLS = 1000
_LONGEST_REASON = 300
_CLOSING = 10.0  # seconds

_open: set[Link] = set()

# The library logs what servers send, which may hold what the server was given in confidence.
logging.getLogger("mcp.client").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Opened:
    """What a connection gives.

    Args:
        session: sends requests.
        tools: the tools that the server has.
    """

    session: ClientSession
    tools: list[types.Tool]


class Link:
    """A connection to a server, from now until it ends, is given up, or the program ends.

    Args:
        settings: the server.
        secrets: its credential, and what must not come out.
    """

    def __init__(self, settings: McpSettings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets
        self._errors = ErrorOutput()
        self._over = asyncio.Event()
        self._calls = 0
        self._given_up = False
        self.loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Opened] = self.loop.create_future()
        # Who waited for it may be gone by then.
        self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        self._task = self.loop.create_task(self._hold(), name=f"mcp {settings.name}")
        _open.add(self)
        self._task.add_done_callback(lambda _: _open.discard(self))

    @property
    def usable(self) -> bool:
        """Whether calls can still go through it."""
        return not (self._over.is_set() or self._given_up)

    async def opened(self) -> Opened:
        """Wait until it is open.

        Raises:
            McpFailed: it cannot be opened.
        """
        return await asyncio.shield(self._ready)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep it open, also when it is given up, while a call goes through it."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self._close_if_idle()

    def give_up(self) -> None:
        """Take no more calls, and close it when those under way are done."""
        self._given_up = True
        self._close_if_idle()

    async def close(self) -> None:
        """Close it, whatever goes through it."""
        self._over.set()
        if not self._ready.done():
            self._task.cancel()
        await asyncio.wait({self._task})

    def _close_if_idle(self) -> None:
        if self._given_up and not self._calls:
            self._over.set()

    async def _hold(self) -> None:
        """Open the connection, hold it and close it: its library wants one task to do all of that."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._settings.timeout):
                    client = await stack.enter_async_context(self._client())
                    tools = await _listed(client)
                self._ready.set_result(Opened(client.session, tools))
                await self._over.wait()
        except Exception as error:  # noqa: BLE001 - whatever a server does, it is the server that is left out
            self._fail(self._reason(error))
        finally:
            self._over.set()
            self._fail("it was stopped")

    def _client(self) -> Client:
        settings = self._settings
        transport = process(settings, self._errors) if settings.command else remote(settings, self._secrets)
        return Client(
            noticed(transport, self._over),
            client_info=types.Implementation(name="selfhelp", version=version("selfhelp")),
            read_timeout_seconds=settings.timeout,
            cache=None,
        )

    def _fail(self, reason: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(McpFailed(self._secrets.scrubbed(reason)))

    def _reason(self, error: BaseException) -> str:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, TimeoutError) or _code(error) == REQUEST_TIMEOUT:
            reason = f"it was not ready within {self._settings.timeout:g} seconds"
        elif _code(error) == CONNECTION_CLOSED:
            reason = "it ended"
        elif isinstance(error, MCPError):
            return brief(error.message, _LONGEST_REASON)
        elif isinstance(error, ValidationError):
            return "its answers are not what MCP wants"
        else:
            return str(error) or type(error).__name__
        last_line = brief(self._errors.last_line, _LONGEST_REASON)
        return f"{reason}: {last_line}" if last_line else reason


def _code(error: BaseException) -> int | None:
    return error.code if isinstance(error, MCPError) else None


async def _listed(client: Client) -> list[types.Tool]:
    if client.server_capabilities.tools is None:
        return []
    page = await client.list_tools()
    tools = page.tools
    while page.next_cursor and len(tools) < MOST_TOOLS:
        page = await client.list_tools(cursor=page.next_cursor)
        tools += page.tools
    return tools[:MOST_TOOLS]


@atexit.register
def _close_all() -> None:
    """Close what is open, since the background loop goes on until the program is gone."""
    closing = [asyncio.run_coroutine_threadsafe(link.close(), link.loop) for link in list(_open)]
    concurrent.futures.wait(closing, _CLOSING)
