"""Servers that are reached by HTTP, under the rules of APIs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx2
from mcp.client.streamable_http import MCP_SESSION_ID, streamable_http_client

from agent.mcp_servers import McpSettings
from tools.mcp.results import LARGEST_RESULT
from tools.mcp.streams import Streams
from tools.openapi.connections import GuardedTransport, Refused
from tools.openapi.credentials import Secrets
from tools.openapi.servers import is_written_out, origin

# Error codes of our own, beside those of JSON-RPC: the request did not reach the server, or it was not taken.
NOT_SENT = -31901
SESSION_OVER = -31902
_ANSWERED = -31903
# MCP wants 404 where a session is not known any more; servers of its own example say 400.
_FORGOTTEN = (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST)


class Telling(httpx2.AsyncBaseTransport):
    """Answers with an error of MCP where there is no answer, since the client would drop the whole connection.

    Args:
        inner: what sends.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and answer it here where it cannot be sent or is refused."""
        try:
            response = await self._inner.handle_async_request(request)
        except Refused as error:
            return _error(request, NOT_SENT, str(error))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            return _error(request, NOT_SENT, f"it cannot be reached: {error}")
        if response.status_code < HTTPStatus.BAD_REQUEST or request.method != "POST":
            return response
        if response.status_code in _FORGOTTEN and MCP_SESSION_ID in request.headers:
            code = SESSION_OVER
        elif response.headers.get("content-type", "").startswith("application/json"):
            return response
        else:
            code = _ANSWERED
        await response.aclose()
        return _error(request, code, f"it answered {response.status_code} {response.reason_phrase}".rstrip())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


@asynccontextmanager
async def remote(settings: McpSettings, secrets: Secrets) -> AsyncIterator[Streams]:
    """Connect to a server by HTTP.

    Args:
        settings: its address, and whether it may be a private one.
        secrets: its credential.
    """
    assert settings.url, "a server without a command has an address"
    context = await asyncio.to_thread(ssl.create_default_context)
    server = origin(settings.url)
    private_hosts = None if settings.allow_private else {server[1]} if is_written_out(server[1]) else set()
    transport = Telling(GuardedTransport({server}, private_hosts, context, secrets))
    # How long an answer may take is the call's own limit.
    timeout = httpx2.Timeout(settings.timeout, read=None)
    async with (
        httpx2.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client,
        streamable_http_client(settings.url, http_client=client, max_sse_event_size=2 * LARGEST_RESULT) as streams,
    ):
        yield streams


def _error(request: httpx2.Request, code: int, message: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return httpx2.Response(HTTPStatus.BAD_GATEWAY, json=body, request=request)
