"""A PostgreSQL server of the tests' own, from Debian's package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import free_port

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def is_installed() -> bool:
    """Whether there is a PostgreSQL server to start."""
    return bool(_FOLDERS)


@dataclass(frozen=True)
class Server:
    """A server on loopback with an empty database."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Address of the database."""
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        self._control("--log", str(self.folder / "log"), "--options", options, "start")

    def stop(self) -> None:
        """End it and all its connections at once."""
        self._control("--mode", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        _run("pg_ctl", "--pgdata", str(self.folder / "data"), "--wait", *arguments)


@contextmanager
def serve() -> Iterator[str]:
    """Run a server, and give its address."""
    with server() as running:
        yield running.url


@contextmanager
def server() -> Iterator[Server]:
    """Run a server."""
    folder = Path(tempfile.mkdtemp(prefix="selfhelp-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    place = ["--pgdata", str(folder / "data"), "--locale", "C", "--encoding", "UTF8"]
    _run("initdb", *place, "--username", "tester", "--auth", "trust", "--no-sync")
    running = Server(folder, free_port())
    running.start()
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, which refuse to run as root."""
    command = [str(_FOLDERS[0] / program), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/tmp")
