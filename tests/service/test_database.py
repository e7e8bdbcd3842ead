"""The service's database: what an earlier version has written is brought up to date and kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from agent.settings import Settings
from service.documents import Documents
from service.records import database
from service.records.database import SERVICE_FILE, open_database
from service.records.tables import metadata
from tests.support import postgres

FIRST = "1"
DOCUMENT = """INSERT INTO documents (id, owner, collection, name, kind, bytes, status, created, updated)
VALUES ('old', 'ann', 'default', 'old.md', 'markdown', 7, 'indexed', 1, 2)"""


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request, tmp_path):
    if request.param == "sqlite":
        yield Settings(data_dir=tmp_path)
        return
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.serve() as url:
        yield Settings(data_dir=tmp_path, database_url=SecretStr(url))


@pytest.fixture
def engine(settings):
    """The database as another program sees it."""
    url = f"sqlite:///{settings.data_dir / SERVICE_FILE}"
    if settings.database_url:
        url = settings.database_url.get_secret_value().replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url, connect_args={"options": "-c search_path=selfhelp"})
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA selfhelp"))
    else:
        engine = create_engine(url)
    yield engine
    engine.dispose()


async def no_knowledge():
    raise AssertionError("nothing is indexed")


async def test_a_database_of_the_first_version_is_brought_up_to_date(settings, engine):
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, FIRST)
        connection.execute(text(DOCUMENT))
    async with open_database(settings) as opened:
        [document] = await Documents(opened, settings.data_dir, no_knowledge).all("ann")
    assert (document.name, document.status, document.embedded) == ("old.md", "indexed", None)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


OPENING = """
import asyncio, os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from agent.settings import Settings
from service.records.database import open_database

TABLES = 3

def killed(connection, cursor, statement, *_):
    global TABLES
    if sys.argv[2] == "die" and statement.lstrip().startswith("CREATE TABLE"):
        TABLES -= 1
        if not TABLES:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with open_database(Settings(data_dir=Path(sys.argv[1]))):
        pass

event.listen(Engine, "after_cursor_execute", killed)
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


def opening(folder, *arguments):
    command = [sys.executable, "-c", OPENING, str(folder), *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_first_start_that_is_killed_leaves_nothing_half_made(tmp_path):
    dying = opening(tmp_path, "die")
    dying.communicate("go\n", timeout=200)
    assert dying.returncode == -signal.SIGKILL
    after = opening(tmp_path, "live")
    _, said = after.communicate("go\n", timeout=200)
    assert after.returncode == 0, said


def test_processes_that_start_together_on_a_new_folder_wait_for_each_other(tmp_path):
    processes = [opening(tmp_path, "live") for _ in range(4)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
