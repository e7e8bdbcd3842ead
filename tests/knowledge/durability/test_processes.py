"""Several processes: one alone in a folder, any number with a server for the vectors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.lock import InUse
from agent.knowledge.vectors.chroma import chroma_server
from tests.knowledge.durability.dying import ROOT
from tests.support import chroma_server as server
from tests.support.documents import assert_consistent, hashing, names, write

HOLDER = """
import asyncio, sys
from pathlib import Path
from agent.knowledge.base import KnowledgeBase

async def hold():
    base = await KnowledgeBase.open(Path(sys.argv[1]), None)
    print("open", flush=True)
    await asyncio.sleep(1000)

asyncio.run(hold())
"""


async def test_one_process_has_the_folder_until_it_dies(tmp_path, docs) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "index")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(InUse, match=rf"in use by `-c {tmp_path}/index` \(process {holder.pid} on .*CHROMA_URL"):
            await KnowledgeBase.open(tmp_path / "index", None)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    base = await KnowledgeBase.open(tmp_path / "index", None)
    assert len((await base.index(docs)).added) == 3
    await base.close()


INDEXER = """
import asyncio, sys
from functools import partial
from pathlib import Path
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.vectors.chroma import chroma_server
from tests.support.documents import hashing

async def index():
    base = await KnowledgeBase.open(Path(sys.argv[1]), hashing(), server=partial(chroma_server, sys.argv[3]))
    sys.stdin.readline()
    await base.index(sys.argv[2])
    await base.close()

print("ready", flush=True)
asyncio.run(index())
"""


async def test_processes_that_share_a_server_index_side_by_side_and_lose_nothing(tmp_path) -> None:
    folders = [
        write(tmp_path / key, {f"{n}.md": f"# Page\n\n{key}{n} is on page {n}." for n in range(200)})
        for key in ("one", "two")
    ]
    with server.serve(tmp_path) as url:
        # Both start in an empty directory at once.
        command = [sys.executable, "-W", "ignore", "-c", INDEXER, str(tmp_path / "index")]
        running = [
            subprocess.Popen([*command, str(folder), url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for folder in folders
        ]
        for process in running:
            assert process.stdout
            process.stdout.readline()
        for process in running:
            process.communicate(b"\n", timeout=200)
        assert [process.returncode for process in running] == [0, 0]
        base = await KnowledgeBase.open(tmp_path / "index", hashing(), server=partial(chroma_server, url))
        assert_consistent(base)
        assert [source.documents for source in await base.sources()] == [200, 200]
        assert names(await base.search("two199", k=1)) == ["199.md"]
        await base.close()
