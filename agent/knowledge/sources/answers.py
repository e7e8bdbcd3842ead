"""Asking a web server for a page, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2

from agent.knowledge.formats import kind_of
from agent.knowledge.sources.addresses import normalised
from agent.knowledge.sources.files import NO_KIND
from agent.knowledge.sources.limits import Limits, megabytes
from agent.knowledge.sources.pages import wishes
from agent.knowledge.sources.robots import AGENT

_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
# Others can be nested, and then a small answer fills the memory.
_ENCODINGS = ("", "identity", "gzip", "deflate")


class NotRead(Exception):
    """A page that could not be read; the message says why.

    Args:
        reason: why.
        passing: whether it may be readable another time.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Args:
        kind: the document's format, one of `formats.KINDS`.
        content: the document. Text whose encoding the server named is UTF-8 with a byte order mark.
        modified: when it was last changed, in seconds since 1970, where the server says so.
        asks: the server's wishes: `noindex`, `nofollow`.
        redirect: the address that it leads to instead.
        skipped: why there is no document.
    """

    kind: str = ""
    content: bytes = b""
    modified: float | None = None
    asks: set[str] = field(default_factory=set)
    redirect: str = ""
    skipped: str = ""


def open_client(limits: Limits) -> httpx2.AsyncClient:
    """Open a client that asks as this program. It reads certificates from disk: open it in a thread."""
    headers = {"User-Agent": AGENT, "Accept-Encoding": "gzip, deflate"}
    return httpx2.AsyncClient(headers=headers, timeout=limits.seconds, follow_redirects=False)


async def ask(client: httpx2.AsyncClient, address: str, limits: Limits) -> Answer:
    """Ask for a page or document.

    Args:
        client: asks for it.
        address: its normalised address.
        limits: how much is read, and for how long.

    Raises:
        NotRead: it could not be read.
    """
    async with answered(client, address, limits) as response:
        return await _answer(response, address, limits)


@asynccontextmanager
async def answered(client: httpx2.AsyncClient, address: str, limits: Limits) -> AsyncIterator[httpx2.Response]:
    """Ask for an address and give the response, before its body is read.

    Args:
        client: asks for it.
        address: the address.
        limits: how long all of it may take, with what is done in the context.

    Raises:
        NotRead: there is no answer, or it breaks off.
    """
    try:
        async with asyncio.timeout(limits.seconds), client.stream("GET", address) as response:
            yield response
    except TimeoutError:
        raise NotRead(f"no full answer within {limits.seconds:g} seconds", passing=True) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise NotRead(str(error) or type(error).__name__, passing=True) from error


async def body(response: httpx2.Response, most: int) -> bytes | None:
    """Return a response's content, or None where it is larger.

    Args:
        response: the response.
        most: how many bytes it may have.

    Raises:
        NotRead: it is packed in a way that was not asked for.
    """
    if response.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
        raise NotRead("it is packed in a way that was not asked for", passing=False)
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > most:
            return None
    return bytes(content)


async def _answer(response: httpx2.Response, address: str, limits: Limits) -> Answer:
    status = response.status_code
    if response.has_redirect_location:
        redirect = normalised(response.headers["location"], address)
        return Answer(redirect=redirect) if redirect else Answer(skipped="redirects to what is no address")
    said = f"{status} {response.reason_phrase}".strip()
    if status in _GONE:
        return Answer(skipped=said)
    if status != HTTPStatus.OK:
        raise NotRead(said, passing=status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = kind_of(httpx2.URL(address).path, media_type)
    if not kind:
        return Answer(skipped=f"{NO_KIND} ({media_type})" if media_type else NO_KIND)
    most = limits.page_bytes if kind == "html" else limits.document_bytes
    content = await body(response, most)
    if content is None:
        return Answer(skipped=f"larger than {megabytes(most)}")
    asks = wishes(response.headers.get_list("x-robots-tag"))
    return Answer(kind, _as_utf8(content, media_type, response.charset_encoding), _modified(response), asks)


def _as_utf8(content: bytes, media_type: str, charset: str | None) -> bytes:
    """The encoding that the server names counts for more than what the page says, as the byte order mark does."""
    if not charset or not media_type.startswith(("text/", "application/xhtml")):
        return content
    try:
        return content.decode(charset, errors="replace").removeprefix("\ufeff").encode("utf-8-sig", errors="replace")
    except (LookupError, ValueError):
        return content


def _modified(response: httpx2.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers.get("last-modified", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
