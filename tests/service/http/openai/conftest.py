from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import openai
import pytest

from tests.support.dev_server import REPOSITORY, TOOLS, wait_until
from tests.support.model_server import ModelServer, serve
from tests.support.node_client import openai_for_node
from tests.support.ports import free_port

DOCUMENTS = {
    "returns.md": "# Returns\n\nBoots can be returned within 60 days.\n",
    "tents.md": "# Tents ![x](https://evil.example/p.png)\n\nThe Heron tent weighs 1.9 kg.\n",
}
PERSONAS = {
    "broken": "---\nname: broken\ntools: [no_such_tool]\n---\nYou are broken.",
    "hasty": "---\nname: hasty\napprovals: {'*': never}\n---\nDo not ask.",
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


@contextmanager
def running(folder: Path, model_url: str) -> Iterator[Service]:
    for name, text in DOCUMENTS.items():
        (folder / "docs").mkdir(exist_ok=True)
        (folder / "docs" / name).write_text(text)
    (folder / "personas").mkdir()
    for name, text in PERSONAS.items():
        (folder / "personas" / f"{name}.md").write_text(text)
    service = Service(folder, free_port())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SELFHELP_", "OPENAI_"))}
    environment = {
        **kept,
        "PYTHONPATH": str(REPOSITORY),
        "LANGGRAPH_STRICT_MSGPACK": "true",
        "LANGSMITH_TRACING": "false",
        "SELFHELP_MODEL": "compatible:scripted",
        "SELFHELP_BASE_URL": model_url,
        "SELFHELP_DATA_DIR": str(folder / "data"),
        "SELFHELP_KNOWLEDGE__EMBEDDER": "none",
        "SELFHELP_KNOWLEDGE__SOURCES": json.dumps([str(folder / "docs")]),
        "SELFHELP_APPROVALS": json.dumps({"note": "always"}),
        "SELFHELP_TOOLS": json.dumps([TOOLS]),
        "TOOLS_FOLDER": str(folder),
    }
    command = [sys.executable, "-m", "uvicorn", "service.http.app:app", "--port", str(service.port)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: process.poll() is not None or _answers(service))
        assert process.poll() is None, service.log("server.log")
        yield service
    finally:
        process.terminate()
        process.wait(100)


def _answers(service: Service) -> bool:
    try:
        return httpx2.get(f"{service.url}/models", trust_env=False).is_success
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="session")
def shared_model() -> Iterator[ModelServer]:
    with serve(ModelServer()) as server:
        yield server


@pytest.fixture(scope="session")
def service(shared_model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service"), shared_model.url) as service:
        yield service
    assert "Traceback" not in service.log("server.log")


@pytest.fixture
def model(shared_model: ModelServer) -> Iterator[ModelServer]:
    """The script of one test."""
    yield shared_model
    try:
        shared_model.verify()
    finally:
        shared_model.repeat = None
        for record in (shared_model.script, shared_model.requests, shared_model.errors):
            record.clear()


@pytest.fixture
def client(service: Service, model: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=service.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The official client for Node, fetched once for this machine."""
    return openai_for_node()
