"""Loading an API: from its settings to its tools."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import httpx2
from langchain_core.tools import BaseTool, ToolException

from agent.apis import ApiSettings
from tools.openapi.calls import NO_SECRETS, Caller, ClientFactory
from tools.openapi.conversion import converted
from tools.openapi.documents import LARGEST_DOCUMENT, parse
from tools.openapi.errors import ApiFailed
from tools.openapi.operations import Skipped
from tools.openapi.requests import director
from tools.openapi.servers import Servers, configured, is_file, origin, written_out


@dataclass(frozen=True)
class Api:
    """An API's tools.

    Args:
        name: its name in the settings.
        base_url: where it is called.
        tools: one for each operation that could be converted.
        skipped: the other operations.
    """

    name: str
    base_url: str
    tools: list[BaseTool] = field(repr=False)
    skipped: list[Skipped] = field(repr=False)


async def load_api(settings: ApiSettings, *, client_factory: ClientFactory | None = None) -> Api:
    """Read an API's document and make tools of its operations.

    Args:
        settings: what is configured about the API.
        client_factory: makes the HTTP client that sends through the transport it is given.

    Raises:
        ApiFailed: the document cannot be read, or the settings do not fit it.
    """
    try:
        context = await asyncio.to_thread(_certificates)
        private_hosts = None if settings.allow_private else frozenset(written_out(settings))
        caller = Caller(settings, frozenset(configured(settings)), private_hosts, context, client_factory)
        content = await _content(settings.spec, caller)
    except httpx2.InvalidURL as error:
        raise ApiFailed(f"an address of the API {settings.name!r} is wrong: {error}") from None
    return await asyncio.to_thread(_api, content, caller)


@cache
def _certificates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # The first one imports what it is made of, which reads files.
    httpx2.AsyncHTTPTransport(verify=context)
    return context


async def _content(place: str, caller: Caller) -> bytes:
    if is_file(place):
        return await asyncio.to_thread(_file, Path(place))
    request = httpx2.Request("GET", place, headers={"Accept-Encoding": "gzip", "User-Agent": "selfhelp"})
    content = bytearray()
    try:
        async with caller.answered(request, NO_SECRETS, follows=True) as response:
            if not response.is_success:
                raise ApiFailed(f"{place} cannot be read: the server answered {response.status_code}")
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > LARGEST_DOCUMENT:
                    raise ApiFailed(f"{place} is larger than {LARGEST_DOCUMENT // 2**20} MB")
    except ToolException as error:
        raise ApiFailed(f"{place} cannot be read: {error}") from None
    return bytes(content)


def _file(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_DOCUMENT:
            raise ApiFailed(f"{path} is larger than {LARGEST_DOCUMENT // 2**20} MB")
        return path.read_bytes()
    except OSError as error:
        raise ApiFailed(f"{path} cannot be read: {error.strerror}") from None


def _api(content: bytes, caller: Caller) -> Api:
    settings = caller.settings
    servers = Servers(parse(content, settings.spec), settings)
    base_url = servers.default()
    caller = replace(caller, origins=caller.origins | {origin(base_url)})
    director()
    tools, skipped = converted(servers, base_url, caller)
    return Api(settings.name, base_url, tools, skipped)
