"""Many conversations at once over HTTP, beside a minimal wrapper: `python -m benchmarks.service`."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from json import loads
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx2
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.model_process import ModelProcess, Script, model_process
from tests.support.aegra import free_port
from tests.support.model_server import Body, Reply

FIRST_TOKEN = 0.5
PER_TOKEN = 0.05
WORDS = 20
TURNS = 3
AT_ONCE_FOR_MEMORY = 25
WARMED_UP = 500

Begin = Callable[[httpx2.AsyncClient], Awaitable[str]]
Ask = Callable[[httpx2.AsyncClient, str, str], AsyncIterator[str]]


@dataclass(frozen=True)
class Contender:
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


@dataclass
class Load:
    """What conversations took.

    Args:
        turns: how many turns there were.
        seconds: until the last one had ended.
        first: seconds to each turn's first piece of the answer.
        wrong: answers that were not those of their conversation.
        memory: bytes of the service's process, by the number of turns it had served.
    """

    turns: int = 0
    seconds: float = 0.0
    first: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: dict[int, int] = field(default_factory=dict)

    @property
    def growth(self) -> float:
        """Bytes that the process grew by with each turn, once it had warmed up."""
        [first, *_, last] = sorted(self.memory)
        return (self.memory[last] - self.memory[first]) / (last - first)


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

CONTENDERS = (
    Contender(
        "Selfhelp",
        lambda port: [str(Path(sys.executable).with_name("selfhelp")), "serve", "--port", str(port)],
        "/healthz",
        begin_selfhelp,
        ask_selfhelp,
    ),
    Contender(
        "create_agent, SqliteSaver, FastAPI",
        lambda port: [sys.executable, "-m", "benchmarks.minimal_service", str(port)],
        "/openapi.json",
        begin_minimal,
        ask_minimal,
    ),
)


def main(
    conversations: Annotated[int, typer.Option(help="Conversations at once.")] = 200,
    turns: Annotated[int, typer.Option(help="Turns of the run that memory is watched in; 0 leaves it out.")] = 5000,
) -> None:
    """Compare the services. Exits with 1 if an answer was lost or went to another conversation."""
    console = Console()
    results = {}
    for contender in CONTENDERS:
        with (
            TemporaryDirectory() as folder,
            model_process(Script(FIRST_TOKEN, PER_TOKEN, repeat=echoed)) as model,
            served(contender, model, Path(folder)) as (url, pid),
        ):
            load = asyncio.run(talk(contender, url, conversations))
        if turns:
            with (
                TemporaryDirectory() as folder,
                model_process(Script(repeat=echoed)) as model,
                served(contender, model, Path(folder)) as (url, pid),
            ):
                load.memory = asyncio.run(watched(contender, url, pid, turns, model))
        results[contender.name] = load
    console.print(table(results))
    if wrong := [text for load in results.values() for text in load.wrong]:
        console.print(f"WRONG ANSWERS: {len(wrong)}, such as {wrong[0]!r}")
        raise typer.Exit(1)


async def talk(contender: Contender, url: str, conversations: int) -> Load:
    """Have conversations at once, of some turns each."""
    load = Load()
    async with _client(url) as client:
        began = time.perf_counter()
        await asyncio.gather(*(converse(contender, client, f"person-{n}", load) for n in range(conversations)))
        load.seconds = time.perf_counter() - began
    return load


async def converse(contender: Contender, client: httpx2.AsyncClient, person: str, load: Load) -> None:
    """Have one conversation."""
    thread = await contender.begin(client)
    for turn in range(TURNS):
        said = f"{person}-turn-{turn}"
        began = time.perf_counter()
        pieces: list[str] = []
        async for piece in contender.ask(client, thread, said):
            if not pieces:
                load.first.append(time.perf_counter() - began)
            pieces.append(piece)
        load.turns += 1
        if (answer := "".join(pieces)) != answer_to(said):
            load.wrong.append(answer)


async def watched(contender: Contender, url: str, pid: int, turns: int, model: ModelProcess) -> dict[int, int]:
    """Have many conversations, some at a time, and return the memory of the service's process by turns served."""
    memory: dict[int, int] = {}
    load = Load()
    async with _client(url) as client:
        while load.turns < turns:
            people = range(load.turns, load.turns + AT_ONCE_FOR_MEMORY)
            await asyncio.gather(*(converse(contender, client, f"person-{n}", load) for n in people))
            model.forget()
            if load.turns >= WARMED_UP:
                memory[load.turns] = resident(pid)
    return memory


def echoed(body: Body) -> Reply:
    """Answer so that it shows whose question was asked."""
    return Reply(answer_to(re.findall(r"person-\d+-turn-\d+", str(body))[-1]))


def answer_to(said: str) -> str:
    """Return the answer to a question."""
    return " ".join(f"{said}" if word % 5 == 0 else "word" for word in range(WORDS))


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
def served(contender: Contender, model: ModelProcess, folder: Path) -> Iterator[tuple[str, int]]:
    """Run a service in a process of its own, and give its address and process."""
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
        subprocess.Popen(contender.command(port), env={**os.environ, **settings}, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(url + contender.ready, process)
            yield url, process.pid
        finally:
            process.terminate()


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def table(results: dict[str, Load]) -> Table:
    """Return the figures side by side."""
    drawn = Table(box=box.MARKDOWN)
    drawn.add_column("")
    for name in results:
        drawn.add_column(name, justify="right")
    rows: dict[str, Callable[[Load], str]] = {
        "turns": lambda load: str(load.turns),
        "wrong or lost answers": lambda load: str(len(load.wrong)),
        "turns per second": lambda load: f"{load.turns / load.seconds:.1f}",
        "first token over the model's own, p50": lambda load: _added(median(load.first)),
        "first token over the model's own, p95": lambda load: _added(quantiles(load.first, n=20)[-1]),
        "memory per turn, after 500": lambda load: f"{load.growth / 1000:.1f} KB" if load.memory else "",
        "memory at the end": lambda load: f"{max(load.memory.values()) / 1e6:.0f} MB" if load.memory else "",
    }
    for name, figure in rows.items():
        drawn.add_row(name, *map(figure, results.values()))
    return drawn


def _added(seconds: float) -> str:
    return f"{1000 * (seconds - FIRST_TOKEN):.0f} ms"


def _client(url: str) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx2.AsyncClient(base_url=url, timeout=120, limits=limits, trust_env=False)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            httpx2.get(url, trust_env=False)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the service ended before it was up")


if __name__ == "__main__":
    typer.run(main)
