"""Hearing of the end of the process before the server waits for streams that would never end by themselves."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_leaving(leave: Callable[[], None]) -> Iterator[None]:
    """Call a function in the event loop as soon as the process is told to end, beside what the server does then.

    Args:
        leave: the function.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(leave)
        servers = before[signal.Signals(number)]
        if callable(servers):
            servers(number, frame)

    for number in _SIGNALS:
        # A handler that the event loop itself has put there is called by it.
        signal.signal(number, told)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
