from __future__ import annotations

import zlib
from pathlib import Path

import psycopg
import pytest

from agent.ledger.ledger import Ledger
from agent.settings import Settings
from tests.support import postgres


@pytest.fixture(autouse=True)
def budgets_of(one_day):
    """Budgets are of a day."""


@pytest.fixture(scope="session")
def server():
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.serve() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path) -> dict[str, object]:
    """Settings of a ledger of the test's own, in either database."""
    place: dict[str, object] = {"data_dir": Path(tmp_path / "data")}
    if request.param == "sqlite":
        return place
    url = request.getfixturevalue("server")
    name = f"d{zlib.crc32(request.node.nodeid.encode())}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return place | {"database_url": url.replace("/postgres", f"/{name}")}


@pytest.fixture
def ledger(database):
    return Ledger(Settings(**database))
