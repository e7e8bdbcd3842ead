"""A process that is killed loses nothing that it acknowledged, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.database import Database
from agent.knowledge.filters import Filter
from tests.knowledge.durability.dying import ROOT, killed_in
from tests.support.documents import assert_consistent, hashing, names, write

KILLS = 50
SEEDS = (1, 2)


@pytest.mark.timeout(900)
async def test_a_hundred_kills_lose_no_acknowledged_document_and_leave_none_half_there(tmp_path) -> None:
    # With its threads a process cannot be forked safely.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}

    async def killed(seed: int) -> dict[str, int]:
        command = ["-W", "ignore", "-m", "tests.knowledge.durability.killed", str(tmp_path / str(seed)), str(KILLS)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            str(seed),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-3000:]
        outcome: dict[str, int] = json.loads(out)
        return outcome

    outcomes = await asyncio.gather(*map(killed, SEEDS))
    assert all(outcome["kills"] >= KILLS for outcome in outcomes)
    # They fell into the writing, and into the mending after an earlier kill.
    assert all(outcome["into_writing"] and outcome["while_mending"] for outcome in outcomes)
    assert any(outcome.get("into_large") for outcome in outcomes)


KILLED_IN_A_REMOVAL = """
import asyncio, os, sys
from pathlib import Path
from agent.knowledge.base import KnowledgeBase
from tests.knowledge.durability.dying import ROOT, killed_in
from tests.support.documents import hashing

async def remove():
    base = await KnowledgeBase.open(Path(sys.argv[1]), hashing())
    delete = base._parts.index.delete

    def deleted(keys):
        delete(keys)
        os.kill(os.getpid(), 9)

    base._parts.index.delete = deleted
    await base.remove(sys.argv[2])

asyncio.run(remove())
"""


async def test_a_kill_while_documents_are_removed_costs_no_rebuild(tmp_path, caplog) -> None:
    docs = write(tmp_path / "docs", {f"{n}.txt": f"word{n} word{n % 97}" for n in range(400)})
    other = write(tmp_path / "other", {"stores.txt": "The store in Utrecht."})
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    await base.index(docs)
    await base.index(other)
    await base.close()
    assert killed_in(KILLED_IN_A_REMOVAL, tmp_path / "index", docs)
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    assert names(await base.search("store word7")) == ["stores.txt"]
    assert_consistent(base)
    assert not caplog.records
    await base.close()


KILLED_WHILE_TABLES_ARE_MADE = """
import os, sqlite3, sys
from pathlib import Path
from agent.knowledge import database

connect = sqlite3.connect

def connected(*given, **more):
    connection = connect(*given, **more)
    connection.set_trace_callback(lambda statement: sys.argv[2] in statement and os.kill(os.getpid(), 9))
    return connection

sqlite3.connect = connected
database.Database(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("statement", ["EXISTS documents", "EXISTS garbage", "EXISTS chunk_removed", "user_version ="])
def test_a_kill_while_the_first_tables_are_made_leaves_none_of_them(tmp_path, statement) -> None:
    assert killed_in(KILLED_WHILE_TABLES_ARE_MADE, tmp_path / "knowledge.sqlite", statement)
    database = Database(tmp_path / "knowledge.sqlite")
    assert database.meta("id")
    database.close()


KILLED_IN_A_REBUILD = """
import asyncio, os, sys
from pathlib import Path
from agent.knowledge import opening
from agent.knowledge.base import KnowledgeBase
from tests.knowledge.durability.dying import ROOT, killed_in
from tests.support.documents import hashing

def kill(done, total):
    if done == 20:
        os.kill(os.getpid(), 9)

opening.REBUILD_BATCH = 10
asyncio.run(KnowledgeBase.open(Path(sys.argv[1]), hashing(32, "other"), rebuild=True, progress=kill))
"""


async def test_a_rebuild_that_was_killed_embeds_only_the_rest(tmp_path) -> None:
    docs = write(tmp_path / "docs", {f"{n}.md": f"# Page {n}\n\nWords of page {n}." for n in range(30)})
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    await base.index(docs)
    await base.close()
    assert killed_in(KILLED_IN_A_REBUILD, tmp_path / "index")
    rest = hashing(32, "other")
    base = await KnowledgeBase.open(tmp_path / "index", rest, rebuild=True)
    assert len(rest.embeddings.embedded) == 10
    assert names(await base.search("page 7", k=1)) == ["7.md"]
    assert_consistent(base)
    await base.close()


KILLED_WHILE_A_DOCUMENT_CHANGES_HANDS = """
import asyncio, os, sys
from pathlib import Path
from agent.knowledge.base import KnowledgeBase
from tests.support.documents import hashing

async def index():
    base = await KnowledgeBase.open(Path(sys.argv[1]), hashing())
    base._parts.store.replace = lambda *_, **__: os.kill(os.getpid(), 9)
    await base.index(sys.argv[2], owner="ann")

asyncio.run(index())
"""


async def test_a_kill_while_a_document_changes_hands_leaves_its_vectors_with_its_owner(tmp_path) -> None:
    docs = write(tmp_path / "docs", {"stores.txt": "The store in Utrecht."})
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    await base.index(docs)
    await base.close()
    assert killed_in(KILLED_WHILE_A_DOCUMENT_CHANGES_HANDS, tmp_path / "index", docs)
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    assert (await base.index(docs)).unchanged == ["stores.txt"]
    assert len(base._parts.index.search(await hashing().aembed_query("store"), 1, Filter())) == 1
    assert_consistent(base)
    await base.close()
