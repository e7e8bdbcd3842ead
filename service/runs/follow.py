"""Following runs: what is on record first, then what happens, whichever process it happens in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Container
from contextlib import asynccontextmanager

from service.runs.log import EventLog
from service.runs.records import END, LEAVING, Event

# Seconds between looks at what happened in other processes.
LOOK_EVERY = 0.3

log = logging.getLogger(__name__)


class Followers:
    """Those who follow runs in this process.

    Args:
        events: the log.
        own: runs of this process, of whose events listeners hear from the log itself.
    """

    def __init__(self, events: EventLog, own: Container[str]) -> None:
        self._log = events
        self._own = own
        self._seen: dict[str, int] = {}
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._closed = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Look at other processes' runs for as long as the context lasts."""
        looking = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            self.close()
            looking.cancel()
            await asyncio.wait([looking])

    def close(self) -> None:
        """End all following: the process is about to end."""
        self._closed = True
        for queue in self._queues:
            queue.put_nowait(None)

    async def follow(self, run_id: str, after: int) -> AsyncGenerator[Event, None]:
        """Yield a run's events behind a number until it ends, or this process does, which the last of them tells."""
        with self._log.listening(run_id) as queue:
            self._queues.add(queue)
            try:
                async for event in self._events(run_id, after, queue):
                    yield event
            finally:
                self._queues.discard(queue)
                if run_id not in self._log.listened_to:
                    self._seen.pop(run_id, None)

    async def _events(self, run_id: str, after: int, queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
        # Asked before the events are read: a run may end in between, and then there is something to tell.
        over = after > 0 and await self._log.has_end(run_id)
        news = await self._log.read(run_id, after)
        if over and not news:
            return
        while True:
            for event in news:
                yield event
                if event.event == END or event.number is None:
                    return
                after = event.number
            if self._closed:
                break
            told = await queue.get()
            if told is None:
                break
            if told.event == END and told.number and told.number <= after:
                return
            if told.number is None or told.number == after + 1:
                news = [told]
            else:  # known already, or told before others that another process has recorded
                news = await self._log.read(run_id, after) if told.number > after else []
        if self._closed:
            yield Event(None, LEAVING, {"after": after})

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  whatever it is, there is a next time
                log.warning("events of other processes cannot be read now: %s", type(error).__name__)

    async def _look(self) -> None:
        elsewhere = {run_id for run_id in self._log.listened_to if run_id not in self._own}
        if not elsewhere:
            return
        last_numbers = await self._log.last_numbers(elsewhere)
        for run_id in await self._log.gone(elsewhere - last_numbers.keys()):
            self._log.tell(run_id, [None])
        for run_id, last in last_numbers.items():
            # Followers read what came before by themselves.
            seen = self._seen.get(run_id, last - 1)
            if last > seen:
                self._seen[run_id] = last
                self._log.tell(run_id, await self._log.read(run_id, seen))
