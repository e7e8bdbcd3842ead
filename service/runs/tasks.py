"""The work of a process's runs: held on to, stopped for a reason, and settled whatever became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Literal

Why = Literal["cancelled", "lost", "released"]
Settle = Callable[[asyncio.Task[Any], Why | None], Awaitable[None]]

# Seconds after which work is cancelled again.
_AGAIN = 1.0

log = logging.getLogger(__name__)


class Tasks:
    """Work by the run that it carries out."""

    def __init__(self) -> None:
        self._working: dict[str, asyncio.Task[Any]] = {}
        self._why: dict[str, Why] = {}
        self._all: set[asyncio.Task[None]] = set()

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._working

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._working))

    def start(self, run_id: str, work: Coroutine[Any, Any, Any], settle: Settle) -> None:
        """Start the work of a run.

        Args:
            run_id: the run.
            work: what is to be done. It alone is cancelled when the run is stopped.
            settle: called when the work has ended in any way, with its task, and why it was stopped if it was.
        """
        working = asyncio.create_task(work, name=f"run {run_id}")
        self._working[run_id] = working
        self._keep(self._settled(run_id, working, settle))

    def look_after(self, run_id: str, working: asyncio.Task[Any]) -> None:
        """Count work that others have started, and settle, as that of a run for as long as it goes on."""
        self._working[run_id] = working
        working.add_done_callback(lambda _: self._forget(run_id))

    def stop(self, run_id: str, why: Why) -> None:
        """Stop the work of a run, if there is any. The first reason counts."""
        working = self._working.get(run_id)
        if working and not working.done() and run_id not in self._why:
            self._why[run_id] = why
            self._keep(_cancel(working))

    async def stop_all(self) -> None:
        """Stop all work, since the process ends."""
        for run_id in self:
            self.stop(run_id, "released")
        while self._all:
            await asyncio.wait(self._all)

    async def _settled(self, run_id: str, working: asyncio.Task[Any], settle: Settle) -> None:
        await asyncio.wait([working])
        try:
            await settle(working, self._why.get(run_id))
        except Exception:
            # The run's lease runs out, and it is taken over.
            log.exception("what became of run %s is not recorded", run_id)
        finally:
            self._forget(run_id)

    def _forget(self, run_id: str) -> None:
        del self._working[run_id]
        self._why.pop(run_id, None)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._all.add(task)
        task.add_done_callback(self._all.discard)


async def _cancel(working: asyncio.Task[Any]) -> None:
    # Where a piece of a reply arrives at the same moment, Python 3.11 forgets that a task was cancelled.
    while not working.done():
        working.cancel()
        await asyncio.wait([working], timeout=_AGAIN)
