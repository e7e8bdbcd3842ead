"""Reading and embedding documents on a Ray cluster, for a corpus that outgrows one machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from agent.errors import SettingsError


class RayExecutor(Executor):
    """Runs functions as Ray tasks: on the cluster that RAY_ADDRESS names, else on this machine.

    Documents are read where the task runs: every machine must see them at the same path, and have Selfhelp installed.

    Args:
        workers: how many run at a time, where there is no cluster.

    Raises:
        SettingsError: Ray is not installed.
    """

    def __init__(self, workers: int) -> None:
        # Else Ray packs up the working directory where `uv run` started this, and lets its workers install it anew.
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        try:
            import ray
        except ImportError:
            raise SettingsError("the ray engine needs Ray: pip install 'selfhelp[ray]'") from None
        self._ray = ray
        # It warns of its own defaults at each start.
        logging.getLogger("ray").setLevel(logging.ERROR)
        address = os.environ.get("RAY_ADDRESS")
        cores = None if address else workers
        ray.init(address, num_cpus=cores, include_dashboard=False, log_to_driver=False, configure_logging=False)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a function as a task that takes one core. It cannot be cancelled."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        task = self._ray.remote(num_cpus=1)(function).remote(*args, **kwargs).future()
        task.add_done_callback(lambda done: _hand_over(done, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Leave the cluster, or end the one on this machine."""
        self._ray.shutdown()


def _hand_over(task: Future[Any], future: Future[Any]) -> None:
    """Give a task's outcome to a future: an error as the function raised it, not wrapped in its traceback."""
    from ray.exceptions import RayError, RayTaskError

    error = task.exception()
    if error is None:
        future.set_result(task.result())
    elif isinstance(error, RayTaskError):
        future.set_exception(error.cause)
    else:
        future.set_exception(BrokenExecutor(str(error)) if isinstance(error, RayError) else error)
