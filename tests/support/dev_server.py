"""A real `langgraph dev` process on loopback, which keeps all it writes in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import REPOSITORY, TOOLS, answers, environment, free_port, wait_until

OFFLINE = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGSMITH_TRACING": "false",
}

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_COMPLAINT = re.compile(r"BlockingError|Blocking call|Traceback|\[error +\]")


@dataclass
class DevServer:
    """A `langgraph dev` process.

    Args:
        folder: its working directory: threads, log, and what the server itself keeps.
        model_url: address of the scripted model server.
        documents: texts to answer from, by file name.
    """

    folder: Path
    model_url: str
    documents: dict[str, str] = field(default_factory=dict)
    _port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the server's API."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def threads_file(self) -> Path:
        """Database of the checkpoints."""
        return self.folder / "data" / "threads.sqlite"

    @property
    def own_records(self) -> Path:
        """Folder in which the server, every ten seconds, writes what it knows of threads and runs."""
        return self.folder / ".langgraph_api"

    @property
    def log(self) -> str:
        """All that the process has printed, with that of its predecessors in the folder."""
        return _COLOUR.sub("", (self.folder / "server.log").read_text(errors="replace"))

    def complaints(self) -> list[str]:
        """Return the lines of the log that tell of blocking calls and errors."""
        return [line for line in self.log.splitlines() if _COMPLAINT.search(line)]

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self._write_documents()
        self._port = free_port()
        command = [str(Path(sys.executable).with_name("langgraph")), "dev", "--no-browser", "--no-reload"]
        command += ["--config", str(REPOSITORY / "langgraph.json")]
        command += ["--port", str(self._port), "--n-jobs-per-worker", "10"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._answers)

    def end(self, signal_number: signal.Signals = signal.SIGTERM) -> None:
        """End the process and everything it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):  # it failed to start
            os.killpg(process.pid, signal_number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise

    def _write_documents(self) -> None:
        for name, text in self.documents.items():
            path = self.folder / "docs" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def _answers(self) -> bool:
        assert self._process, "the server was started"
        assert self._process.poll() is None, f"langgraph dev ended:\n{self.log}"
        return answers(f"{self.url}/ok")

    def _environment(self) -> dict[str, str]:
        knowledge = {"SELFHELP_KNOWLEDGE__SOURCES": json.dumps([str(self.folder / "docs")])} if self.documents else {}
        return {
            **environment(),
            **knowledge,
            **OFFLINE,
            "LANGGRAPH_STRICT_MSGPACK": "true",
            "PYTHONPATH": str(REPOSITORY),
            "SELFHELP_MODEL": "compatible:test",
            "SELFHELP_BASE_URL": self.model_url,
            "SELFHELP_DATA_DIR": str(self.folder / "data"),
            "SELFHELP_APPROVALS": json.dumps({"*": "never", "asked_*": "always"}),
            "SELFHELP_TOOLS": json.dumps([TOOLS]),
            "TOOLS_FOLDER": str(self.folder),
        }


@contextmanager
def running(server: DevServer) -> Iterator[DevServer]:
    """Keep a server up for as long as the context lasts."""
    try:
        server.start()
        yield server
    finally:
        server.end()
