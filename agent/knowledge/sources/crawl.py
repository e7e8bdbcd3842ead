"""One walk over a site, from link to link."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path

import httpx2

from agent.knowledge.documents import Found, IndexReport
from agent.knowledge.sources.addresses import Scope, may_be_document, target
from agent.knowledge.sources.answers import Answer, NotRead, ask
from agent.knowledge.sources.files import read_file
from agent.knowledge.sources.limits import Limits, megabytes
from agent.knowledge.sources.pages import Page, read_page
from agent.knowledge.sources.robots import Robots

# For each page that may be asked for, addresses that are compared with what robots.txt allows.
_LOOKED_AT = 10


class Crawl:
    """The documents that can be reached from a page, nearest first.

    Args:
        client: asks for them.
        start: normalised address of the page.
        robots: what the site allows.
        limits: how much is read.
        report: told what is skipped and what fails.
        folder: where the documents are kept.
    """

    def __init__(
        self, client: httpx2.AsyncClient, start: str, robots: Robots, limits: Limits, report: IndexReport, folder: Path
    ) -> None:
        self._client = client
        self._scope = Scope.around(start)
        self._robots = robots
        self._limits = limits
        self._report = report
        self._folder = folder
        self._queue: deque[tuple[str, int]] = deque()
        self._seen: set[str] = set()
        self._moved: set[str] = set()
        self._names: set[str] = set()
        self._asked = 0
        self._bytes = 0
        self._deciding = asyncio.Lock()
        self._pacing = asyncio.Lock()
        self._next_turn = 0.0

    async def documents(self) -> AsyncGenerator[Found, None]:
        """Yield each document once it is saved."""
        visits: set[asyncio.Task[Found | None]] = set()
        await self._enqueue([self._scope.start], 0)
        try:
            while self._queue or visits:
                while self._queue and len(visits) < self._limits.at_once:
                    visits.add(asyncio.create_task(self._visit(*self._queue.popleft())))
                done, visits = await asyncio.wait(visits, return_when=asyncio.FIRST_COMPLETED)
                for visit in done:
                    if found := visit.result():
                        yield found
        finally:
            for visit in visits:
                visit.cancel()
            await asyncio.gather(*visits, return_exceptions=True)

    async def _enqueue(self, addresses: Sequence[str], depth: int) -> None:
        # In a thread, as a page may have thousands of links, and a robots.txt thousands of rules for each.
        async with self._deciding:
            await asyncio.to_thread(self._decide, addresses, depth)

    def _decide(self, addresses: Sequence[str], depth: int) -> None:
        for address in addresses:
            if address in self._seen or not self._scope.holds(address) or not may_be_document(address):
                continue
            if len(self._seen) == _LOOKED_AT * self._limits.pages:
                self._report.incomplete = f"more than {len(self._seen)} addresses, most of them not to be read"
                return
            self._take(address, depth)

    def _take(self, address: str, depth: int) -> None:
        if self._asked == self._limits.pages:
            self._report.incomplete = f"more than {self._limits.pages} pages"
            return
        self._seen.add(address)
        if not self._robots.allows(target(address)):
            self._skip(address, "its robots.txt asks not to read it")
        elif depth > self._limits.depth:
            self._skip(address, f"more than {self._limits.depth} links away from the first page")
        else:
            self._asked += 1
            self._queue.append((address, depth))

    async def _visit(self, address: str, depth: int) -> Found | None:
        if self._bytes >= self._limits.site_bytes:
            self._report.incomplete = f"more than {megabytes(self._limits.site_bytes)}"
            return None
        await self._turn()
        try:
            answer = await ask(self._client, address, self._limits)
        except NotRead as reason:
            self._report.failed.append((self._scope.name(address), str(reason)))
            if reason.passing:
                self._report.incomplete = "a page could not be read, and what only it links to is not known"
            return None
        self._bytes += len(answer.content)
        if answer.redirect:
            await self._redirected(address, answer.redirect, depth)
        elif answer.skipped:
            self._skip(address, answer.skipped)
        else:
            return await self._read(address, answer, depth)
        return None

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._pacing:
            await asyncio.sleep(self._next_turn - loop.time())
            self._next_turn = loop.time() + min(self._robots.delay, self._limits.longest_delay)

    async def _redirected(self, address: str, to: str, depth: int) -> None:
        if address == self._scope.start and to == f"{address}/":
            self._scope = Scope(address, to)
        if not self._scope.holds(to):
            self._skip(address, f"leads elsewhere: to {to}")
            return
        self._moved.add(address)
        await self._enqueue([to], depth + 1)

    async def _read(self, address: str, answer: Answer, depth: int) -> Found | None:
        page = await asyncio.to_thread(read_page, answer.content, address) if answer.kind == "html" else Page()
        asks = answer.asks | page.asks
        if "nofollow" not in asks:
            await self._enqueue(page.links, depth + 1)
        if self._is_copy(address, page.canonical):
            assert page.canonical
            self._moved.add(address)
            await self._enqueue([page.canonical], depth + 1)
            self._skip(address, f"a copy of {page.canonical}")
            return None
        if "noindex" in asks:
            self._skip(address, "it asks not to be indexed")
            return None
        return await self._saved(address, answer)

    def _is_copy(self, address: str, canonical: str | None) -> bool:
        # Of two pages that each call the other the original, one is read.
        return bool(
            canonical and canonical != address and canonical not in self._moved and self._scope.holds(canonical)
        )

    async def _saved(self, address: str, answer: Answer) -> Found | None:
        name = self._scope.name(address)
        if name in self._names:
            self._skip(address, f"{address} has the name of another page")
            return None
        self._names.add(name)
        path = self._folder / f"{len(self._names):06}"
        await asyncio.to_thread(path.write_bytes, answer.content)
        return Found(name, address, answer.kind, answer.modified, partial(read_file, str(path), len(answer.content)))

    def _skip(self, address: str, reason: str) -> None:
        self._report.skipped.append((self._scope.name(address), reason))
