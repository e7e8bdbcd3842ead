"""How much each caller may ask for. It is counted in each process on its own."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from service.http.callers import Caller
from service.http.problems import Problem
from service.runs.records import TooMany

_SOON = 1  # second


class Limits:
    """Counts what callers ask for."""

    def __init__(self) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._under_way: Counter[str] = Counter()

    @asynccontextmanager
    async def request(self, caller: Caller) -> AsyncIterator[None]:
        """Count a request for as long as it is under way, its stream included.

        Args:
            caller: who makes it.

        Raises:
            Problem: they have made too many, or have too many under way.
        """
        who = caller.key or f"token {caller.owner}"
        if caller.concurrent is not None and self._under_way[who] >= caller.concurrent:
            raise _too_many(f"{caller.concurrent} requests are under way: wait for one to end", _SOON)
        self._under_way[who] += 1
        try:
            await self._count(who, caller.per_minute)
            yield
        finally:
            self._under_way[who] -= 1
            if not self._under_way[who]:
                del self._under_way[who]

    async def _count(self, who: str, per_minute: int | None) -> None:
        if per_minute is None:
            return
        limit = RateLimitItemPerMinute(per_minute)
        if not await self._window.hit(limit, who):
            stats = await self._window.get_window_stats(limit, who)
            seconds = max(_SOON, math.ceil(stats.reset_time - time.time()))
            raise _too_many(f"a key may make {per_minute} requests in a minute", seconds)


def too_many_runs(error: TooMany) -> Problem:
    """Return the problem of a caller who has as many runs under way as they may."""
    return _too_many(str(error), _SOON)


def _too_many(message: str, seconds: int) -> Problem:
    return Problem(429, message, code="rate_limit_exceeded", headers={"Retry-After": str(seconds)})
