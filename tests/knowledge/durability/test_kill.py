"""A process that is killed loses nothing that it acknowledged, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.lock import InUse
from tests.support.documents import Hashing, assert_consistent, hashing, names, write

ROOT = Path(__file__).parents[3]
KILLS = 50
SEEDS = (1, 2)


@pytest.mark.timeout(400)
async def test_a_hundred_kills_lose_no_acknowledged_document_and_leave_none_half_there(tmp_path) -> None:
    async def killed(seed: int) -> dict:
        command = ["-W", "ignore", "-m", "tests.knowledge.durability.killed", str(tmp_path / str(seed)), str(KILLS)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, str(seed), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-3000:]
        return json.loads(out)

    for outcome in await asyncio.gather(*map(killed, SEEDS)):
        assert outcome["kills"] == KILLS
        assert outcome["batches"] > KILLS


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
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(InUse, match=rf"in use by `-c {tmp_path}/index` \(process {holder.pid} on .*CHROMA_URL"):
            await KnowledgeBase.open(tmp_path / "index", None)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    base = await KnowledgeBase.open(tmp_path / "index", None)
    assert len((await base.index(docs)).added) == 3
    await base.close()


async def test_a_cancelled_run_keeps_what_it_wrote_and_the_next_embeds_only_the_rest(tmp_path) -> None:
    docs = write(tmp_path / "docs", {f"{n}.md": f"# Page {n}\n\nWords of page {n}." for n in range(200)})
    written = asyncio.Event()
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    running = asyncio.create_task(base.index(docs, progress=lambda done, found: written.set()))
    await written.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    counting = hashing()
    base._embedder = counting
    report = await base.index(docs)
    assert report.unchanged
    assert isinstance(counting.embeddings, Hashing)
    # A batch that was being written when the run was cancelled may have got there too.
    assert len(counting.embeddings.embedded) <= len(report.added) == 200 - len(report.unchanged)
    assert_consistent(base)
    await base.close()


async def test_a_rebuild_that_broke_off_embeds_only_the_rest(tmp_path, monkeypatch) -> None:
    docs = write(tmp_path / "docs", {f"{n}.md": f"# Page {n}\n\nWords of page {n}." for n in range(30)})
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    await base.index(docs)
    await base.close()
    monkeypatch.setattr("agent.knowledge.opening.REBUILD_BATCH", 10)

    def stop(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await KnowledgeBase.open(tmp_path / "index", hashing(32, "other"), rebuild=True, progress=stop)
    rest = hashing(32, "other")
    base = await KnowledgeBase.open(tmp_path / "index", rest, rebuild=True)
    assert isinstance(rest.embeddings, Hashing)
    assert len(rest.embeddings.embedded) == 10
    assert names(await base.search("page 7", k=1)) == ["7.md"]
    assert_consistent(base)
    await base.close()
