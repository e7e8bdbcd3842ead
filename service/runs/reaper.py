"""The reaper: what happens to runs by the passing of time. It finds, keeps, stops, takes over and goes on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from service.runs.store import LEASE, RunStore
from service.runs.tasks import Tasks

# Seconds between its rounds.
EVERY = 1.0
# Seconds for which the events of a run that has ended can be had, and between looks at which are older.
EVENTS_KEPT = 7 * 24 * 3600.0
FORGET_EVERY = 3600.0

Duty = Callable[[], Awaitable[None]]
Go = Callable[[str], Awaitable[None]]

log = logging.getLogger(__name__)


class Reaper:
    """Looks after the runs of this process, and after those that no process has.

    Args:
        store: the runs.
        own: the work of this process.
        take_over: goes on with a run that no process has.
        go_on: starts the next run of a thread.
    """

    def __init__(self, store: RunStore, own: Tasks, take_over: Go, go_on: Go) -> None:
        self._store = store
        self._own = own
        self._take_over = take_over
        self._go_on = go_on
        self._kept = time.monotonic()
        self._forgot = time.monotonic() - FORGET_EVERY

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Make rounds for as long as the context lasts."""
        rounds = asyncio.create_task(self._rounds())
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.wait([rounds])

    async def _rounds(self) -> None:
        while True:
            try:
                for duty in self._duties:
                    await duty()
            except Exception as error:  # noqa: BLE001  whatever it is, there is a next round
                log.warning("runs cannot be looked after now: %s", type(error).__name__)
            await asyncio.sleep(EVERY)

    @property
    def _duties(self) -> tuple[Duty, ...]:
        return self._keep, self._stop_cancelled, self._take_over_left, self._start_queued, self._forget

    async def _keep(self) -> None:
        """Keep this process's runs for another lease."""
        if time.monotonic() - self._kept < LEASE / 5:
            return
        own = list(self._own)
        held = await self._store.hold(own) if own else {}
        self._kept = time.monotonic()
        for run_id in own:
            if run_id not in held:
                self._own.stop(run_id, "lost")

    async def _stop_cancelled(self) -> None:
        """Stop runs of this process that were cancelled in another."""
        if not list(self._own):
            return
        for run_id in await self._store.cancelled():
            self._own.stop(run_id, "cancelled")

    async def _take_over_left(self) -> None:
        """Go on with runs whose process has let them go or died."""
        for run_id in await self._store.left():
            # A process that was held up may find its own runs here: it has them still.
            if run_id not in self._own:
                await self._take_over(run_id)

    async def _start_queued(self) -> None:
        """Start runs that nothing holds up any more."""
        for thread_id in await self._store.threads_to_go_on():
            await self._go_on(thread_id)

    async def _forget(self) -> None:
        """Delete what nobody asks for any more."""
        if time.monotonic() - self._forgot < FORGET_EVERY:
            return
        await self._store.forget(time.time() - EVENTS_KEPT)
        self._forgot = time.monotonic()
