from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.end_to_end.conversation import DOCUMENTS
from tests.support.dev_server import DevServer, running
from tests.support.model_server import ModelServer, serve


@pytest.fixture(scope="session")
def shared_model() -> Iterator[ModelServer]:
    with serve(ModelServer()) as server:
        yield server


@pytest.fixture(scope="session")
def shared_server(shared_model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with running(DevServer(tmp_path_factory.mktemp("dev"), shared_model.url, DOCUMENTS)) as server:
        yield server


@pytest.fixture
def model(shared_model: ModelServer) -> Iterator[ModelServer]:
    """The script of one test, for the server that all tests share."""
    with shared_model.scripted():
        yield shared_model


@pytest.fixture
def server(shared_server: DevServer, model: ModelServer) -> Iterator[DevServer]:
    before = len(shared_server.complaints())
    yield shared_server
    assert shared_server.complaints()[before:] == []


@pytest.fixture
async def client(server: DevServer) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client


@pytest.fixture
async def thread(client: LangGraphClient) -> str:
    return str((await client.threads.create())["thread_id"])


@pytest.fixture
def name() -> str:
    """A text that no other test uses."""
    return uuid.uuid4().hex[:8]
