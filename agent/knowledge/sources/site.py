"""Web sites: their pages, and the documents that these link to."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path

import httpx2

from agent.knowledge.documents import Found, IndexReport, NoDocuments
from agent.knowledge.sources.addresses import normalised, origin
from agent.knowledge.sources.answers import NotRead, answered, body, open_client
from agent.knowledge.sources.crawl import Crawl
from agent.knowledge.sources.limits import LIMITS, Limits
from agent.knowledge.sources.robots import LARGEST, Robots, parse_robots

_ROBOTS_REDIRECTS = 5


class Site:
    """The pages at an address and below its folder, and the documents that they link to there.

    For `https://docs.example/manual/intro` that is everything below `https://docs.example/manual/` that can be reached
    by links. Other servers are never asked. What was read stays on disk, and can be read from there, until the next
    `find`, `close` or the end of this object.

    Args:
        address: the address.
        limits: how much is read.

    Raises:
        NoDocuments: it is no address of a web site.
    """

    def __init__(self, address: str, limits: Limits = LIMITS) -> None:
        start = normalised(address)
        if not start:
            raise NoDocuments(f"{address} is no address of a web site: give one like https://docs.example/manual/")
        self._start = start
        self._limits = limits
        self._forget: weakref.finalize[[Path, bool], Site] | None = None

    @property
    def key(self) -> str:
        """The address, normalised."""
        return self._start

    async def find(self, report: IndexReport) -> AsyncGenerator[Found, None]:
        """Yield the documents as they are read.

        Raises:
            NoDocuments: there is none, or the site cannot be reached.
        """
        await self.close()
        folder = await asyncio.to_thread(self._new_folder)
        found = False
        async with await asyncio.to_thread(open_client, self._limits) as client:
            robots = await self._robots(client)
            crawl = Crawl(client, self._start, robots, self._limits, report, folder)
            async with aclosing(crawl.documents()) as documents:
                async for document in documents:
                    found = True
                    yield document
        if not found:
            reasons = [reason for _, reason in [*report.failed, *report.skipped]] or ["it has no page"]
            raise NoDocuments(f"{self.key} gives no document ({reasons[0]}): check the address")

    async def close(self) -> None:
        """Delete what was read."""
        if self._forget:
            await asyncio.to_thread(self._forget)

    def _new_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="selfhelp-site-"))
        self._forget = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    async def _robots(self, client: httpx2.AsyncClient) -> Robots:
        address = f"{origin(self._start)}/robots.txt"
        try:
            for _ in range(_ROBOTS_REDIRECTS):
                async with answered(client, address, self._limits) as response:
                    if not response.has_redirect_location:
                        return await _rules(response)
                    address = normalised(response.headers["location"], address) or ""
                if not address or origin(address) != origin(self._start):
                    return Robots()
        except NotRead as reason:
            raise NoDocuments(f"{address} cannot be read ({reason}), so the site is left alone: try later") from reason
        return Robots()


async def _rules(response: httpx2.Response) -> Robots:
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise NotRead(f"{response.status_code} {response.reason_phrase}", passing=True)
    if response.status_code != HTTPStatus.OK:
        return Robots()
    content = await body(response, LARGEST)
    if content is None:
        raise NotRead("it is larger than any robots.txt", passing=False)
    return parse_robots(content.decode(errors="replace"))
