from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

from tests.support.documents import write
from tests.support.model_server import ModelServer, serve
from tests.support.node_client import openai_for_node
from tests.support.processes import TOOLS
from tests.support.service_process import ServiceProcess, running

FILES = {
    "docs/returns.md": "# Returns\n\nBoots can be returned within 60 days.\n",
    "docs/tents.md": "# Tents ![x](https://evil.example/p.png)\n\nThe Heron tent weighs 1.9 kg.\n",
    "personas/broken.md": "---\nname: broken\ntools: [no_such_tool]\n---\nYou are broken.",
    "personas/hasty.md": "---\nname: hasty\napprovals: {'*': never}\n---\nDo not ask.",
}


@dataclass
class Service:
    """The service in a process of its own."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def rows(self, query: str, database: str = "service.sqlite") -> list[tuple]:
        """Return what a query finds in one of the service's databases."""
        with closing(sqlite3.connect(self.folder / "data" / database, timeout=10)) as connection:
            return connection.execute(query).fetchall()

    def change(self, statement: str, database: str = "service.sqlite") -> None:
        """Change one of the service's databases behind its back."""
        with closing(sqlite3.connect(self.folder / "data" / database, timeout=10)) as connection:
            connection.execute(statement)
            connection.commit()

    def model_calls(self, columns: str, condition: str = "1 = 1") -> list[tuple]:
        """Return what is in the ledger of model calls, in their order."""
        if not (self.folder / "data" / "ledger.sqlite").exists():
            return []
        return self.rows(f"SELECT {columns} FROM model_calls WHERE {condition} ORDER BY at", "ledger.sqlite")

    def log(self, name: str) -> str:
        """Return what was written to a file in the service's folder."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def threads_left(self) -> set[str]:
        """Return the ids of the threads that there are checkpoints of."""
        return {name for (name,) in self.rows("SELECT DISTINCT thread_id FROM checkpoints", "threads.sqlite")}


@pytest.fixture(scope="session")
def shared_model() -> Iterator[ModelServer]:
    with serve(ModelServer()) as server:
        yield server


@pytest.fixture(scope="session")
def service(shared_model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = write(tmp_path_factory.mktemp("service"), FILES)
    settings = {
        "SELFHELP_MODEL": "compatible:scripted",
        "SELFHELP_KNOWLEDGE__SOURCES": json.dumps([str(folder / "docs")]),
        "SELFHELP_APPROVALS": json.dumps({"note": "always"}),
        "SELFHELP_TOOLS": json.dumps([TOOLS]),
        "TOOLS_FOLDER": str(folder),
    }
    with running(ServiceProcess(folder, shared_model.url, settings)) as process:
        yield Service(folder, process.port)
    assert "Traceback" not in process.log


@pytest.fixture
def model(shared_model: ModelServer) -> Iterator[ModelServer]:
    """The script of one test."""
    with shared_model.scripted():
        yield shared_model


@pytest.fixture
def client(service: Service, model: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=service.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The official client for Node, fetched once for this machine."""
    return openai_for_node()
