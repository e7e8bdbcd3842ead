from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support.documents import write
from tests.support.model_server import ModelServer, serve
from tests.support.processes import TOOLS
from tests.support.service_process import ServiceProcess, running
from tests.support.talk import Talk

RETURNS = (
    "# Returns\n\nTents: 30 days.\n\n## Boots\n\nBoots can be returned within 60 days.\n\n## Maps\n\nMaps: never.\n"
)
FILES = {
    "personas/careful.md": "---\nname: careful\napprovals: {'*': always}\n---\nAsk first.",
    "personas/broken.md": "---\nname: broken\ntools: [no_such_tool]\n---\nYou are broken.",
    "docs/returns.md": RETURNS,
}


@pytest.fixture(scope="session")
def shared_model() -> Iterator[ModelServer]:
    with serve(ModelServer()) as server:
        yield server


@pytest.fixture(scope="session")
def new_service(shared_model, tmp_path_factory):
    """Makes processes of the service, which share a folder where they are given the same."""

    def make(folder=None, name="service", **settings):
        folder = folder or tmp_path_factory.mktemp("service")
        write(folder, FILES)
        environment = {
            "SELFHELP_APPROVALS": json.dumps({"*": "never"}),
            "SELFHELP_TOOLS": json.dumps([TOOLS]),
            "SELFHELP_KNOWLEDGE__SOURCES": json.dumps([str(folder / "docs")]),
            "TOOLS_FOLDER": str(folder),
            **settings,
        }
        return ServiceProcess(folder, shared_model.url, environment, name)

    return make


@pytest.fixture(scope="session")
def shared_service(new_service) -> Iterator[ServiceProcess]:
    with running(new_service()) as service:
        yield service
    assert "Traceback" not in service.log


@pytest.fixture
def model(shared_model) -> Iterator[ModelServer]:
    """The script of one test, for the server that all tests share."""
    with shared_model.scripted():
        yield shared_model


@pytest.fixture
def client(shared_service, model) -> Iterator[httpx.Client]:
    with shared_service.client() as client:
        yield client


@pytest.fixture
def talk(client) -> Iterator[Talk]:
    talk = Talk(client)
    yield talk
    client.delete(f"/api/threads/{talk.thread}")


@pytest.fixture
def notes(shared_service):
    """What the write of the tests' tools did since the test began."""
    log = shared_service.folder / "runs.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    return lambda: log.read_text().splitlines()[before:] if log.exists() else []
