"""The work of a process's runs: held on to, stopped for a reason, and settled whatever became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Literal

Why = Literal["cancelled", "lost", "released"]
Settle = Callable[[asyncio.Task[Any], Why | None], Awaitable[None]]

# Seconds after which work is cancelled again.
_AGAIN = 1.0

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Work:
    task: asyncio.Task[Any]
    why: Why | None = None


class Tasks:
    """Work by the run that it carries out."""

    def __init__(self) -> None:
        self._working: dict[str, _Work] = {}
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
        working = _Work(asyncio.create_task(work, name=f"run {run_id}"))
        self._working[run_id] = working
        self._keep(self._settled(run_id, working, settle))

    def look_after(self, run_id: str, task: asyncio.Task[Any]) -> None:
        """Count work that others have started, and settle, as that of a run for as long as it goes on."""
        working = _Work(task)
        self._working[run_id] = working
        task.add_done_callback(lambda _: self._forget(run_id, working))

    def stop(self, run_id: str, why: Why) -> None:
        """Stop the work of a run, if there is any. The first reason counts."""
        working = self._working.get(run_id)
        if working and not working.task.done() and working.why is None:
            working.why = why
            self._keep(_cancel(working.task))

    async def stop_all(self) -> None:
        """Stop all work, since the process ends."""
        for run_id in self:
            self.stop(run_id, "released")
        while self._all:
            await asyncio.wait(self._all)

    async def _settled(self, run_id: str, working: _Work, settle: Settle) -> None:
        await asyncio.wait([working.task])
        try:
            await settle(working.task, working.why)
        except Exception:
            # The run's lease runs out, and it is taken over.
            log.exception("what became of run %s is not recorded", run_id)
        finally:
            self._forget(run_id, working)

    def _forget(self, run_id: str, working: _Work) -> None:
        # A run that waited may have been decided on, and go on, before it is all settled here.
        if self._working.get(run_id) is working:
            del self._working[run_id]

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._all.add(task)
        task.add_done_callback(self._all.discard)


async def _cancel(working: asyncio.Task[Any]) -> None:
    # Where a piece of a reply arrives at the same moment, Python 3.11 forgets that a task was cancelled.
    while not working.done():
        working.cancel()
        await asyncio.wait([working], timeout=_AGAIN)
