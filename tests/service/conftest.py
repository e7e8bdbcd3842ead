from __future__ import annotations

import os
import subprocess

import pytest
from pydantic import SecretStr

from agent.settings import Settings
from service.records.database import open_database
from tests.support import postgres
from tests.support.processes import SELFHELP


@pytest.fixture
def environment(model_server, tmp_path):
    return {
        **os.environ,
        "SELFHELP_MODEL": "compatible:scripted",
        "SELFHELP_BASE_URL": model_server.url,
        "SELFHELP_KNOWLEDGE__EMBEDDER": "none",
        "COLUMNS": "200",
    }


@pytest.fixture
def run(environment, tmp_path):
    def selfhelp(*arguments, stdin="", **more):
        return subprocess.run(
            [SELFHELP, *arguments],
            check=False,
            input=stdin,
            env=environment | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=200,
        )

    return selfhelp


@pytest.fixture(scope="session")
def postgres_server():
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.serve() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
async def service_database(request, tmp_path):
    """The service's database: SQLite, and PostgreSQL, where tests find what those before them have left."""
    settings = Settings(data_dir=tmp_path)
    if request.param == "postgres":
        settings = Settings(data_dir=tmp_path, database_url=SecretStr(request.getfixturevalue("postgres_server")))
    async with open_database(settings) as database:
        yield database
