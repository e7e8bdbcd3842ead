"""An event loop in the background, for synchronous callers, and for what outlives a caller's loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_background(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on the background loop, whatever loop the caller's thread may have, and wait for it.

    Args:
        work: the coroutine. It is cancelled when the caller is interrupted.
    """
    future = asyncio.run_coroutine_threadsafe(work, _background_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def beside(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on the background loop and wait for it in this one.

    Args:
        work: the coroutine. It is cancelled when the caller is.
    """
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, _background_loop()))


@cache
def _background_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="selfhelp", daemon=True).start()
    return loop
