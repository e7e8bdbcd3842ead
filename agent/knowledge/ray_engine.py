"""Reading and embedding documents on a Ray cluster, for a corpus that outgrows one machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
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
        try:
            import ray
        except ImportError:
            raise SettingsError("the ray engine needs Ray: pip install 'selfhelp[ray]'") from None
        self._ray = ray
        address = os.environ.get("RAY_ADDRESS")
        cores = None if address else workers
        ray.init(address, num_cpus=cores, include_dashboard=False, log_to_driver=False, configure_logging=False)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a function as a task that takes one core."""
        future: Future[Any] = self._ray.remote(num_cpus=1)(function).remote(*args, **kwargs).future()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Leave the cluster, or end the one on this machine."""
        self._ray.shutdown()
