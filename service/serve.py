"""The `serve` command: the service, run by uvicorn."""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from agent.errors import SelfhelpError, SettingsError
from agent.serving import is_loopback
from agent.settings import Settings, load_settings
from service.records.database import open_database
from service.records.keys import Keys

_KEEP_ALIVE = 30  # seconds that an idle connection is kept
_LAST_WORDS = 15  # seconds that requests under way have to end
_START = 60  # seconds that a worker may need before it answers its parent


class CannotListen(SelfhelpError):
    """An address that cannot be listened on."""


def serve(settings: Settings, host: str, port: int, workers: int, proxies: str | None) -> None:
    """Serve until a signal ends it.

    Args:
        settings: the settings.
        host: address to listen on.
        port: port to listen on.
        workers: number of processes. Each reads the settings for itself.
        proxies: addresses of proxies, with commas between, which are believed about who asks and whether by https.

    Raises:
        SettingsError: the service would be open to others without a key.
        CannotListen: another program has the port, or it may not be had.
    """
    asyncio.run(_refuse_open_door(settings, host))
    _try_out(host, port)
    with _counting_together() if workers > 1 else nullcontext():
        _run(host, port, workers, proxies)


def _run(host: str, port: int, workers: int, proxies: str | None) -> None:
    uvicorn.run(
        "service.serve:app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        proxy_headers=proxies is not None,
        forwarded_allow_ips=proxies,
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_LAST_WORDS,
        timeout_worker_healthcheck=_START,
        log_config=_logging(),
    )


@contextmanager
def _counting_together() -> Iterator[None]:
    """Have processes count into files of one folder, so that whichever is asked for metrics tells of all."""
    from service.metrics import TOGETHER

    with TemporaryDirectory(prefix="selfhelp-metrics-") as folder:
        os.environ.setdefault(TOGETHER, folder)
        yield


def app() -> FastAPI:
    """Make the app of one process."""
    from service.http.app import create_app

    return create_app(load_settings())


class WithoutQuery(logging.Filter):
    """Takes the query off the addresses in the access log: it holds what people search for."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record, and keep it."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                part.partition("?")[0] if isinstance(part, str) and part.startswith("/") else part
                for part in record.args
            )
        return True


def _try_out(host: str, port: int) -> None:
    """Say at once that a port cannot be had: uvicorn finds out after all has been loaded."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as error:
        raise CannotListen(
            f"port {port} of {host} cannot be listened on: {error.strerror}. Choose another with --host and --port"
        ) from None


async def _refuse_open_door(settings: Settings, host: str) -> None:
    async with open_database(settings) as database:
        if is_loopback(host) or settings.service.jwt or await Keys(database).any():
            return
    raise SettingsError(
        f"listening on {host} would let anybody in: make a key first with `selfhelp keys create --owner NAME`, "
        "or set [service.jwt] in selfhelp.toml. Without either, only 127.0.0.1 is served"
    )


def _logging() -> dict[str, Any]:
    config: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    config["filters"] = {"without_query": {"()": "service.serve.WithoutQuery"}}
    config["handlers"]["access"]["filters"] = ["without_query"]
    return config
