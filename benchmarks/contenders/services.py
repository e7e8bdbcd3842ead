"""The services that are measured: Selfhelp's, and the minimal one that one would write instead."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from json import loads
from pathlib import Path

import httpx2

from benchmarks.model_process import ModelProcess
from tests.support.model_server import Body
from tests.support.processes import free_port

Begin = Callable[[httpx2.AsyncClient], Awaitable[str]]
Ask = Callable[[httpx2.AsyncClient, str, str], AsyncIterator[str]]


@dataclass(frozen=True)
class Service:
    """A service and how one talks to it.

    Args:
        name: what tables call it.
        command: starts it on a port of loopback.
        ready: path that answers once it is up.
        begin: makes a thread and returns its id.
        ask: yields the answer's text as it comes.
    """

    name: str
    command: Callable[[int], list[str]]
    ready: str
    begin: Begin
    ask: Ask


@dataclass(frozen=True)
class Process:
    """A service that runs.

    Args:
        url: its address.
        pid: id of its process.
    """

    url: str
    pid: int

    @property
    def memory(self) -> int:
        """Bytes that it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has spent."""
        # Behind the name in brackets, which may hold anything.
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def client(self) -> httpx2.AsyncClient:
        """Return a client that opens as many connections as there are requests."""
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        return httpx2.AsyncClient(base_url=self.url, timeout=120, limits=limits, trust_env=False)


async def begin_selfhelp(client: httpx2.AsyncClient) -> str:
    """Make a thread of Selfhelp's."""
    made = await client.post("/api/threads", json={})
    return str(made.raise_for_status().json()["id"])


def ask_selfhelp(client: httpx2.AsyncClient, thread: str, text: str) -> AsyncIterator[str]:
    """Ask Selfhelp."""
    return streamed(client, f"/api/threads/{thread}/runs?stream=true", {"text": text})


async def begin_minimal(_: httpx2.AsyncClient) -> str:
    """Name a thread for the wrapper."""
    return f"thread {next(_numbers)}"


def ask_minimal(client: httpx2.AsyncClient, thread: str, text: str) -> AsyncIterator[str]:
    """Ask the wrapper."""
    return streamed(client, "/chat", {"thread": thread, "text": text})


_numbers = count()

SELFHELP = Service(
    "selfhelp",
    lambda port: [str(Path(sys.executable).with_name("selfhelp")), "serve", "--port", str(port)],
    "/healthz",
    begin_selfhelp,
    ask_selfhelp,
)
MINIMAL = Service(
    "create_agent, SqliteSaver, FastAPI",
    lambda port: [sys.executable, "-m", "benchmarks.minimal_service", str(port)],
    "/openapi.json",
    begin_minimal,
    ask_minimal,
)


async def streamed(client: httpx2.AsyncClient, path: str, body: Body) -> AsyncIterator[str]:
    """Yield the text of the token events that a request is answered with."""
    async with client.stream("POST", path, json=body) as response:
        response.raise_for_status()
        event = ""
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == "token":
                yield loads(value)["text"]


@contextmanager
def served(service: Service, model: ModelProcess, folder: Path) -> Iterator[Process]:
    """Run a service in a process of its own.

    Args:
        service: the service.
        model: the model that it asks.
        folder: where it keeps its threads and its log.
    """
    port = free_port()
    settings = {
        "SELFHELP_MODEL": "compatible:scripted",
        "SELFHELP_BASE_URL": model.url,
        "SELFHELP_DATA_DIR": str(folder),
        "LANGSMITH_TRACING": "false",
        "MINIMAL_MODEL_URL": model.url,
        "MINIMAL_DATA_DIR": str(folder),
    }
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(service.command(port), env={**os.environ, **settings}, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(url + service.ready, process)
            yield Process(url, process.pid)
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            httpx2.get(url, trust_env=False)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the service ended before it was up")
