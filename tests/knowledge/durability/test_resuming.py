"""A run that breaks off keeps what it wrote, and the next one does only the rest."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.knowledge.base import KnowledgeBase
from tests.support.documents import assert_consistent, hashing, write


async def test_a_cancelled_run_keeps_what_it_wrote_and_the_next_embeds_only_the_rest(tmp_path) -> None:
    docs = write(tmp_path / "docs", {f"{n}.md": f"# Page {n}\n\nWords of page {n}." for n in range(200)})
    written = asyncio.Event()
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    running = asyncio.create_task(base.index(docs, progress=lambda done, found: written.set()))
    await written.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await base.close()
    counting = hashing()
    base = await KnowledgeBase.open(tmp_path / "index", counting)
    report = await base.index(docs)
    assert report.unchanged
    assert len(counting.embeddings.embedded) == len(report.added) == 200 - len(report.unchanged)
    assert_consistent(base)
    await base.close()


def test_ctrl_c_ends_a_run_of_the_command_line_and_the_next_goes_on(tmp_path) -> None:
    pages = {f"{n}.md": "\n\n".join(f"## Rule {n}.{m}\n\nWords of it." for m in range(300)) for n in range(60)}
    docs = write(tmp_path / "docs", pages)
    command = [str(Path(sys.executable).with_name("selfhelp")), "index", str(docs), "--json"]
    environment = {**os.environ, "SELFHELP_KNOWLEDGE__EMBEDDER": "none", "SELFHELP_DATA_DIR": str(tmp_path / "data")}
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    database = tmp_path / "data" / "knowledge" / "knowledge.sqlite-wal"
    while running.poll() is None and not (database.exists() and database.stat().st_size > 1_000_000):
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 130, errors
    assert "Traceback" not in errors
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=True)
    report = json.loads(done.stdout)
    assert report["unchanged"]
    assert report["added"]
    assert len(report["unchanged"] + report["added"]) == 60
