"""Many conversations at once over HTTP, beside a minimal wrapper: `python -m benchmarks.service`."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx2
import typer
from rich.console import Console

from benchmarks.contenders.services import MINIMAL, SELFHELP, Process, Service, served
from benchmarks.model_process import Script, model_process
from benchmarks.reports import Check, Part, Sheet
from tests.support.model_server import Body, Reply, tokens

SERVICES = (SELFHELP, MINIMAL)

FIRST_TOKEN, PER_TOKEN = 0.5, 0.05
WORDS = 20
BUSY, BUSY_TURNS = 200, 2
CALM, CALM_TURNS = 10, 2
# So many streams are open together: the first answer is still coming when the last one begins.
OPEN, PER_TOKEN_OPEN = 100, 0.3
WARM_UP = 10
AT_ONCE_FOR_MEMORY, TURNS_FOR_MEMORY = 25, 3
WARMED_UP = 500


@dataclass
class Load:
    """What conversations took.

    Args:
        process: the service.
        turns: how many turns there were.
        seconds: until the last one had ended.
        cpu: seconds of the service's process.
        first: seconds to each turn's first piece of the answer.
        wrong: answers that were not those of their conversation.
        open: streams that have begun and not ended.
        most_open: the most of them at once.
        memory: bytes of the process when so many were open.
    """

    process: Process
    turns: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    first: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    memory: int = 0

    def opened(self, seconds: float) -> None:
        """Note that an answer has begun."""
        self.first.append(seconds)
        self.open += 1
        if self.open > self.most_open:
            self.most_open, self.memory = self.open, self.process.memory

    def ended(self, answer: str, expected: str) -> None:
        """Note that an answer has ended."""
        self.open -= 1
        self.turns += 1
        if answer != expected:
            self.wrong.append(answer)


@dataclass(frozen=True)
class Figures:
    """What a service took.

    Args:
        service: its name.
        turns: how many turns there were.
        wrong: answers that were lost, or not those of their conversation.
        rate: turns in a second, with 200 conversations at once.
        cpu: seconds of CPU for each of these turns.
        first: seconds to the first token over the model's own then: median, and what 95 of 100 turns stay below.
        calm_cpu: seconds of CPU for each turn with 10 conversations at once.
        calm_first: seconds to the first token over the model's own then.
        open: streams that were open at once.
        memory: bytes for each of them.
    """

    service: str
    turns: int
    wrong: int
    rate: float
    cpu: float
    first: tuple[float, float]
    calm_cpu: float
    calm_first: tuple[float, float]
    open: int
    memory: float

    @property
    def per_core(self) -> float:
        """Streams at once that one core carries while the model sets the pace."""
        return answer_seconds() / self.cpu


def part() -> Part:
    """Have the same conversations with each service."""
    ours, theirs = (measure(service) for service in SERVICES)
    return Part([_sheet((ours, theirs))], _checks(ours, theirs), {"service": [asdict(each) for each in (ours, theirs)]})


def measure(service: Service) -> Figures:
    """Have conversations with a service: many open streams, few at once, and many at once."""
    with (
        TemporaryDirectory() as folder,
        model_process(Script(repeat=echoed)) as model,
        served(service, model, Path(folder)) as process,
    ):
        talk(service, process, WARM_UP)
        before = process.memory
        model.pace(FIRST_TOKEN, PER_TOKEN_OPEN)
        held = talk(service, process, OPEN)
        model.pace(FIRST_TOKEN, PER_TOKEN)
        calm = talk(service, process, CALM, CALM_TURNS)
        busy = talk(service, process, BUSY, BUSY_TURNS)
    loads = (held, calm, busy)
    return Figures(
        service.name,
        sum(load.turns for load in loads),
        sum(len(load.wrong) for load in loads),
        busy.turns / busy.seconds,
        busy.cpu / busy.turns,
        _added(busy.first),
        calm.cpu / calm.turns,
        _added(calm.first),
        held.most_open,
        (held.memory - before) / held.most_open,
    )


def talk(service: Service, process: Process, conversations: int, turns: int = 1) -> Load:
    """Have conversations at once, of some turns each."""
    load = Load(process)
    cpu, began = process.cpu, time.perf_counter()
    asyncio.run(_talk(service, load, range(conversations), turns))
    load.seconds, load.cpu = time.perf_counter() - began, process.cpu - cpu
    return load


async def _talk(service: Service, load: Load, people: range, turns: int) -> None:
    async with load.process.client() as client:
        await asyncio.gather(*(_converse(service, client, f"person-{number}", turns, load) for number in people))


async def _converse(service: Service, client: httpx2.AsyncClient, person: str, turns: int, load: Load) -> None:
    thread = await service.begin(client)
    for turn in range(turns):
        said = f"{person}-turn-{turn}"
        began = time.perf_counter()
        pieces: list[str] = []
        async for piece in service.ask(client, thread, said):
            if not pieces:
                load.opened(time.perf_counter() - began)
            pieces.append(piece)
        load.ended("".join(pieces), answer_to(said))


def echoed(body: Body) -> Reply:
    """Answer so that it shows whose question was asked."""
    return Reply(answer_to(re.findall(r"person-\d+-turn-\d+", str(body))[-1]))


def answer_to(said: str) -> str:
    """Return the answer to a question."""
    return " ".join(f"{said}" if word % 5 == 0 else "word" for word in range(WORDS))


def answer_seconds() -> float:
    """Return how long the model takes for an answer."""
    return FIRST_TOKEN + PER_TOKEN * len(tokens(answer_to("person-100-turn-1")))


def _added(first: list[float]) -> tuple[float, float]:
    return median(first) - FIRST_TOKEN, quantiles(first, n=20)[-1] - FIRST_TOKEN


def _checks(ours: Figures, theirs: Figures) -> list[Check]:
    carried = ours.per_core / theirs.per_core
    memory = ours.memory / theirs.memory
    return [
        Check(
            f"no answer is lost or comes to another conversation, of up to {BUSY} at once",
            f"{ours.wrong} of {ours.turns}",
            held=not ours.wrong,
        ),
        Check("one core carries as many streams as of a minimal wrapper", f"{carried:.2f}", held=carried >= 1),
        Check("an open stream takes no more memory than of a minimal wrapper", f"{memory:.2f}", held=memory <= 1),
    ]


def _sheet(figures: tuple[Figures, Figures]) -> Sheet:
    many, few = (f"{number} conversations at once" for number in (BUSY, CALM))
    cells: dict[str, Callable[[Figures], str]] = {
        "answers wrong or lost": lambda each: f"{each.wrong} of {each.turns}",
        f"{many}: turns per second": lambda each: f"{each.rate:.1f}",
        "CPU milliseconds of a turn": lambda each: f"{1000 * each.cpu:.1f}",
        "streams that one core carries": lambda each: f"{each.per_core:.0f}",
        "milliseconds added to the first token, p50": lambda each: f"{1000 * each.first[0]:.0f}",
        "p95": lambda each: f"{1000 * each.first[1]:.0f}",
        f"{few}: CPU milliseconds of a turn": lambda each: f"{1000 * each.calm_cpu:.1f}",
        f"{few}: milliseconds added to the first token, p50": lambda each: f"{1000 * each.calm_first[0]:.0f}",
        f"{few}: p95": lambda each: f"{1000 * each.calm_first[1]:.0f}",
        "open streams": lambda each: str(each.open),
        "KB of memory for each of them": lambda each: f"{each.memory / 1000:.0f}",
    }
    rows = [(name, *map(cell, figures)) for name, cell in cells.items()]
    return Sheet("Service", ("", *(each.service for each in figures)), rows)


def main(
    turns: Annotated[int, typer.Option(help="Have so many turns more, and watch memory; some thousands.")] = 0,
) -> None:
    """Compare the services. Exits with 1 where a promise is not held."""
    console = Console(width=120)
    found = part()
    console.print(found.rich())
    if turns:
        console.print(_watched(turns).rich())
    if not all(check.held for check in found.checks):
        raise typer.Exit(1)


def _watched(turns: int) -> Sheet:
    rows = []
    for service in SERVICES:
        memory = watch(service, turns)
        first, last = min(memory), max(memory)
        growth = (memory[last] - memory[first]) / (last - first)
        rows.append((service.name, f"{growth / 1000:.1f}", f"{max(memory.values()) / 1e6:.0f}"))
    return Sheet(f"Memory over {turns:,} turns", ("", f"KB a turn, after {WARMED_UP}", "MB at the most"), rows)


def watch(service: Service, turns: int) -> dict[int, int]:
    """Have many conversations, some at a time, and return the memory of the service's process by turns served."""
    memory: dict[int, int] = {}
    with (
        TemporaryDirectory() as folder,
        model_process(Script(repeat=echoed)) as model,
        served(service, model, Path(folder)) as process,
    ):
        load = Load(process)
        while load.turns < turns:
            people = range(load.turns, load.turns + AT_ONCE_FOR_MEMORY)
            asyncio.run(_talk(service, load, people, TURNS_FOR_MEMORY))
            model.forget()
            if load.turns >= WARMED_UP:
                memory[load.turns] = process.memory
    return memory


if __name__ == "__main__":
    typer.run(main)
