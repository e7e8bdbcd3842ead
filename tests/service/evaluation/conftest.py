from __future__ import annotations

import pytest
import pytest_asyncio

from agent.settings import Settings
from service.evaluation.surroundings import Company
from tests.support.model_server import ModelServer, serve


@pytest.fixture(scope="module")
def scripted():
    """A model server for all tests of a module."""
    with serve(ModelServer()) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def company(scripted, tmp_path_factory):
    """The example company, whose documents are found by their words."""
    settings = Settings(
        model="compatible:scripted",
        base_url=scripted.url,
        data_dir=tmp_path_factory.mktemp("data"),
        knowledge={"embedder": "none"},
    )
    async with Company.opened(settings, lambda done, found: None) as opened:
        yield opened
