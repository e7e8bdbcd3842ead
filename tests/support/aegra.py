"""Aegra, an open LangGraph server that many machines run together, with PostgreSQL and Redis of the tests' own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.processes import REPOSITORY, TOOLS, answers, environment, free_port, wait_until

VERSION = "0.11.0"
# Aegra needs a newer Python than the tests may have.
PYTHONS = ("python3.12", "python3.13")


def missing() -> str | None:
    """Say what keeps Aegra from running here, if anything."""
    if shutil.which("redis-server") is None:
        return "redis-server is not installed"
    return None if _python() else "there is neither Python 3.12 nor 3.13"


def install(folder: Path) -> Path:
    """Install Aegra and this project into an environment of their own, and return its Python."""
    python = folder / "bin" / "python"
    _uv("venv", "--quiet", "--python", str(_python()), str(folder))
    project = ["--editable", f"{REPOSITORY}[postgres]"]
    _uv("pip", "install", "--quiet", "--python", str(python), f"aegra-api=={VERSION}", *project)
    return python


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis server on loopback, and give its address."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


@dataclass
class Aegra:
    """One instance.

    Args:
        python: the Python that Aegra is installed for.
        folder: its data, its log, and the files of the tests' tools.
        database: address of PostgreSQL.
        redis: address of Redis.
        model_url: address of the scripted model server.
    """

    python: Path
    folder: Path
    database: str
    redis: str
    model_url: str
    _port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the instance."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process."""
        assert self._process, "the instance was started"
        return self._process

    def start(self) -> None:
        """Start the process, if it does not run, and wait until it answers."""
        if self._process:
            return
        self._port = free_port()
        command = [str(self.python), "-m", "uvicorn", "aegra_api.main:app", "--port", str(self._port)]
        with (self.folder / f"aegra-{self._port}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers)

    def key(self, owner: str, *options: str) -> str:
        """Make a key for a person."""
        command = [str(self.python.with_name("selfhelp")), "keys", "create", "--owner", owner, "--json", *options]
        made = subprocess.run(command, cwd=self.folder, env=self._environment(), capture_output=True, check=True)
        return str(json.loads(made.stdout)["key"])

    def kill(self) -> None:
        """End the process by -9."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, "Aegra ended"
        return answers(f"{self.url}/openapi.json")

    def _environment(self) -> dict[str, str]:
        return {
            **environment(),
            "DATABASE_URL": self.database,
            "REDIS_BROKER_ENABLED": "true",
            "REDIS_URL": self.redis,
            # A worker that is gone is noticed after this long.
            "LEASE_DURATION_SECONDS": "3",
            "HEARTBEAT_INTERVAL_SECONDS": "1",
            "REAPER_INTERVAL_SECONDS": "1",
            "LANGSMITH_TRACING": "false",
            "PYTHONPATH": str(REPOSITORY),
            "SELFHELP_MODEL": "compatible:test",
            "SELFHELP_BASE_URL": self.model_url,
            "SELFHELP_DATABASE_URL": self.database,
            "SELFHELP_DATA_DIR": str(self.folder / "data"),
            "SELFHELP_APPROVALS": json.dumps({"*": "never"}),
            "SELFHELP_TOOLS": json.dumps([TOOLS]),
            "TOOLS_FOLDER": str(self.folder),
        }


@cache
def _python() -> str | None:
    """Return a Python that works: pyenv puts one on the path for each version, whether it is chosen or not."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in PYTHONS:
        for path in (shutil.which(name), *map(str, pyenv.glob(f"*/bin/{name}"))):
            if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
                return path
    return None


def _uv(*arguments: str) -> None:
    subprocess.run(["uv", *arguments], check=True)
