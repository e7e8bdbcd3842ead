"""What Selfhelp adds where the model takes no time: CPU of a streamed token, and the start of a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.contenders import Bench, Contender, Opening
from benchmarks.contenders.graphs import langchain_agent, selfhelp
from benchmarks.contenders.openai_agents import openai_agent
from benchmarks.contenders.plain_loop import plain_loop
from benchmarks.contenders.pydantic_agents import pydantic_agent
from benchmarks.model_process import ModelProcess, Script, model_process
from benchmarks.reports import Check, Part, Sheet
from benchmarks.shapes import Shape, even
from tests.support.model_server import Reply, tokens

WORDS = 2000
MOST_TOKEN = 1.2
MOST_START = 1.5
IMPORT_OPENAI = "import openai; openai.AsyncOpenAI(api_key='none')"
# Asks, and says how many modules are loaded where the first request is about to be sent.
COUNT_MODULES = """
import os, sys
from agent.account import Account

async def begin(*_):
    print(len(sys.modules), flush=True)
    os._exit(0)

Account.begin = begin
sys.argv[1:] = ["ask", "Hello?"]

from service.cli import main
main()
"""

SHORT = Shape("short", "Say a word.", (), "Word.")
LONG = Shape("long", "Say many words.", (), "word " * WORDS + "end")

STREAMERS: tuple[Opening, ...] = (plain_loop, selfhelp, langchain_agent, openai_agent, pydantic_agent)


async def tokens_part(repetitions: int) -> Part:
    """Measure the CPU time that each streamed token of an answer takes, as the slope between a short and a long answer.

    Args:
        repetitions: turns of each length to take the median of.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        model = stack.enter_context(model_process(Script()))
        bench = Bench(model, even(0), folder)
        found = {}
        for opening in STREAMERS:
            contender = await stack.enter_async_context(opening(bench))
            found[contender.name] = await _per_token(contender, model, repetitions)
    least = found["openai loop"]
    rows = [[name, f"{1e6 * seconds:.0f}", f"{seconds / least:.2f}"] for name, seconds in found.items()]
    sheet = Sheet("CPU of a streamed token", ("", "microseconds", "to a plain loop"), rows)
    ratio = found["selfhelp"] / least
    check = Check(f"CPU of a token at most {MOST_TOKEN} of a plain loop's", f"{ratio:.2f}", held=ratio <= MOST_TOKEN)
    return Part([sheet], [check], {"seconds_per_token": found})


async def _per_token(contender: Contender, model: ModelProcess, repetitions: int) -> float:
    await _cpu(contender, SHORT, model)
    pairs = [[await _cpu(contender, shape, model) for shape in (LONG, SHORT)] for _ in range(repetitions)]
    return median(long - short for long, short in pairs) / (len(tokens(LONG.text)) - len(tokens(SHORT.text)))


async def _cpu(contender: Contender, shape: Shape, model: ModelProcess) -> float:
    model.will(*contender.script(shape))
    begin = time.process_time()
    async for _ in contender.answer(shape):
        pass
    spent = time.process_time() - begin
    model.take()
    return spent


def start_part(repetitions: int) -> Part:
    """Measure how long `selfhelp ask` takes to its first request, beside importing the openai client alone.

    Both are started as they are once installed: with their byte code at hand, which the first start, left out, writes.

    Args:
        repetitions: starts to take the median of, the two taking turns.
    """
    with TemporaryDirectory() as folder, model_process(Script(repeat=_answered)) as model:
        pairs = [(_ask(model, folder), _import(folder)) for _ in range(1 + repetitions)][1:]
    ours, least = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    rows = [
        ["selfhelp ask, to its first request", f"{ours:.2f}", f"{ratio:.2f}"],
        ["import openai", f"{least:.2f}", "1"],
    ]
    sheet = Sheet("Cold start", ("", "seconds", "ratio"), rows)
    promise = f"`selfhelp ask` reaches its first request within {MOST_START} × importing the openai client"
    check = Check(promise, f"{ratio:.2f}", held=ratio <= MOST_START)
    return Part([sheet], [check], {"ask": ours, "import": least, "ratio": ratio})


def modules_at_start() -> int:
    """Return how many modules `selfhelp ask` has loaded when it sends its first request."""
    with TemporaryDirectory() as folder:
        settings = _settings("http://127.0.0.1:9")  # nobody is asked
        return int(_run([sys.executable, "-c", COUNT_MODULES], folder, settings | {"PYTHONPATH": str(Path.cwd())}))


def _ask(model: ModelProcess, folder: str) -> float:
    begin = time.time()
    _run([str(Path(sys.executable).with_name("selfhelp")), "ask", "Hello?"], folder, _settings(model.url))
    return model.asked_at() - begin


def _settings(url: str) -> dict[str, str]:
    return {"SELFHELP_MODEL": "compatible:scripted", "SELFHELP_BASE_URL": url}


def _import(folder: str) -> float:
    begin = time.time()
    _run([sys.executable, "-c", IMPORT_OPENAI], folder, {})
    return time.time() - begin


def _run(command: Sequence[str], folder: str, settings: dict[str, str]) -> str:
    byte_code = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(folder, "byte-code"))}
    environment = os.environ | byte_code | settings
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def _answered(_: object) -> Reply:
    return Reply(text="Hello.")
