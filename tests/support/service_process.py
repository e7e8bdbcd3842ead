"""The service in a process of its own on loopback: `uvicorn service.http.app:app`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import create_engine, text

from tests.support.processes import REPOSITORY, answers, environment, free_port, wait_until


@dataclass
class ServiceProcess:
    """A process of the service.

    Args:
        folder: its working directory, with its data and its log. Several processes may share one.
        model_url: address of the scripted model server.
        settings: further environment variables.
        name: name of its log.
    """

    folder: Path
    model_url: str
    settings: dict[str, str] = field(default_factory=dict)
    name: str = "service"
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """The service's own database."""
        return Path(self.settings.get("SELFHELP_DATA_DIR", self.folder / "data")) / "service.sqlite"

    @property
    def log(self) -> str:
        """All that the process has printed."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self.port = free_port()
        command = [sys.executable, "-m", "uvicorn", "service.http.app:app", "--port", str(self.port)]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self._answers)

    def end(self, signal_number: signal.Signals = signal.SIGTERM) -> None:
        """End the process."""
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal_number)
        try:
            process.wait(100)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def change(self, run: str, values: str) -> None:
        """Change the row of a run.

        Args:
            run: id of the run.
            values: assignments of SQL.
        """
        url = self.settings.get("SELFHELP_DATABASE_URL", f"sqlite:///{self.database}")
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        schema = "selfhelp." if engine.dialect.name == "postgresql" else ""
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {schema}runs SET {values} WHERE id = :run"), {"run": run})
        engine.dispose()

    def make_silent(self, run: str) -> None:
        """Have the time pass that is given to the process of a run when it says nothing."""
        self.change(run, "lease = 0")

    def client(self, **options: object) -> httpx.Client:
        """Return a client of the service."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=100, **options)  # type: ignore[arg-type]

    def _answers(self) -> bool:
        assert self.process, "the service was started"
        assert self.process.poll() is None, f"the service ended:\n{self.log}"
        return answers(f"{self.url}/openapi.json")

    def _environment(self) -> dict[str, str]:
        return {
            **environment(),
            "LANGGRAPH_STRICT_MSGPACK": "true",
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{self.folder}",
            "SELFHELP_MODEL": "compatible:test",
            "SELFHELP_BASE_URL": self.model_url,
            "SELFHELP_DATA_DIR": str(self.folder / "data"),
            "SELFHELP_KNOWLEDGE__EMBEDDER": "none",
            **self.settings,
        }


@contextmanager
def running(*services: ServiceProcess) -> Iterator[ServiceProcess]:
    """Keep processes up for as long as the context lasts, and give the first of them."""
    try:
        for service in services:
            service.start()
        yield services[0]
    finally:
        for service in services:
            service.end()
