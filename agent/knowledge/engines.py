"""Where documents are read and embedded: threads of this process, more processes, or a Ray cluster."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar

from agent.errors import SelfhelpError

EngineName = Literal["threads", "processes", "ray"]

Given = ParamSpec("Given")
Result = TypeVar("Result")


class EngineFailed(SelfhelpError):
    """Workers that died."""


@dataclass(frozen=True)
class Engine:
    """What does the work.

    Args:
        executor: runs functions; where it is of processes, they and their arguments are pickled.
        workers: how many functions it runs at a time.
    """

    executor: Executor
    workers: int

    async def run(self, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """Run a function.

        Raises:
            EngineFailed: its worker died.
        """
        assert not kwargs, "an executor takes positional arguments"
        try:
            return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)
        except BrokenExecutor as error:
            raise EngineFailed(
                f"a worker died while it read documents ({error}). What was indexed is kept: index again, with fewer "
                "workers if memory ran out"
            ) from error


@asynccontextmanager
async def open_engine(name: EngineName = "threads", workers: int | None = None) -> AsyncIterator[Engine]:
    """Give an engine for a while.

    Args:
        name: threads suit most; processes read PDF and HTML on more cores; ray is for more machines.
        workers: how many; as many as there are cores when None.
    """
    workers = workers or os.cpu_count() or 1
    executor = await asyncio.to_thread(_executor, name, workers)
    try:
        yield Engine(executor, workers)
    finally:
        await asyncio.to_thread(executor.shutdown, cancel_futures=True)


def _executor(name: EngineName, workers: int) -> Executor:
    if name == "ray":
        from agent.knowledge.ray_engine import RayExecutor

        return RayExecutor(workers)
    if name == "processes":
        # A fork would inherit the locks of threads that it does not have.
        return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    return ThreadPoolExecutor(workers, thread_name_prefix="index")
