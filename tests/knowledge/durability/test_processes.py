"""Several processes over one folder, of which one has Chroma open; and any number with a server for the vectors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

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
from tests.support.documents import hashing

async def hold():
    base = await KnowledgeBase.open(Path(sys.argv[1]), hashing())
    print("open", flush=True)
    for query in sys.stdin:
        hits = await base.hits(query, k=1)
        print([(hit.passage.document, bool(hit.similarity)) for hit in hits], flush=True)

asyncio.run(hold())
"""


@contextmanager
def holding(index: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has an index open, until it is killed."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    holder = subprocess.Popen([sys.executable, "-W", "ignore", "-c", HOLDER, str(index)], cwd=ROOT, **pipes)
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        yield holder
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()


def asked(holder: subprocess.Popen[str], query: str) -> str:
    assert holder.stdin
    assert holder.stdout
    holder.stdin.write(f"{query}\n")
    return holder.stdout.readline()


async def test_each_process_finds_what_the_other_has_written(tmp_path, docs) -> None:
    with holding(tmp_path / "index") as holder:
        base = await KnowledgeBase.open(tmp_path / "index", hashing())
        assert len((await base.index(docs)).added) == 3
        assert asked(holder, "store in Utrecht") == "[('stores.txt', True)]\n"
        assert [bool(hit.similarity) for hit in await base.hits("store in Utrecht", k=1)] == [True]
        write(docs, {"stores.txt": "Stores\n======\n\nThe shop in Ghent."})
        (docs / "returns.md").unlink()
        report = await base.index(docs)
        assert (report.changed, report.removed) == (["stores.txt"], ["returns.md"])
        assert asked(holder, "shop in Ghent") == "[('stores.txt', True)]\n"
        assert asked(holder, "return label") != "[('returns.md', True)]\n"
        await base.close()
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    assert_consistent(base)
    await base.close()


async def test_what_was_written_beside_a_process_that_is_killed_is_taken_over_by_the_next(
    tmp_path, docs, caplog
) -> None:
    with holding(tmp_path / "index"):
        base = await KnowledgeBase.open(tmp_path / "index", hashing())
        await base.index(docs)
        await base.close()
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    assert_consistent(base)
    assert names(await base.search("Utrecht", k=1)) == ["stores.txt"]
    assert not caplog.records
    await base.close()


async def test_vectors_are_made_anew_only_by_the_process_that_has_them_open(tmp_path) -> None:
    with (
        holding(tmp_path / "index") as holder,
        pytest.raises(InUse, match=rf"in use by `-c {tmp_path}/index` \(process {holder.pid} on "),
    ):
        await KnowledgeBase.open(tmp_path / "index", hashing(), rebuild=True)
    await (await KnowledgeBase.open(tmp_path / "index", hashing(), rebuild=True)).close()


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
