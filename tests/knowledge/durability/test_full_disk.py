"""A full disk: what is said of it, what is kept, and that everything goes on once there is room."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import SelfhelpError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.opening import IndexUnusable
from tests.knowledge.durability.dying import ROOT
from tests.support.documents import assert_consistent, hashing, names, write


@pytest.fixture
def disk(tmp_path: Path):
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system; files that may not grow are tested all the same")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_is_said_and_what_was_stored_is_kept(disk, tmp_path, docs) -> None:
    base = await KnowledgeBase.open(disk / "index", hashing())
    await base.index(docs)
    many = write(tmp_path / "many", {f"{n}.txt": f"word{n} " * 90 for n in range(1000)})
    with pytest.raises(SelfhelpError, match=r"disk.*kept|lost: free the disk"):
        await base.index(many)
    assert names(await base.search("Utrecht"))[0] == "stores.txt"
    base.close_at_once()
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    base = await KnowledgeBase.open(disk / "index", hashing())
    assert names(await base.search("Utrecht"))[0] == "stores.txt"
    report = await base.index(many)
    assert len(report.added) + len(report.unchanged) == 1000
    assert_consistent(base)
    await base.close()


@pytest.mark.parametrize("left", [0, 40960])
async def test_what_cannot_be_opened_on_a_full_disk_can_be_once_there_is_room(disk, docs, left) -> None:
    base = await KnowledgeBase.open(disk / "index", hashing())
    await base.index(docs)
    await base.close()
    room = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_bsize - left))
    with pytest.raises(IndexUnusable, match=r"cannot be opened.*Free the disk"):
        await KnowledgeBase.open(disk / "index", hashing())
    (disk / "ballast").unlink()
    # In another process, as it would be: Chroma does not forget that it failed in this one.
    again = [sys.executable, "-W", "ignore", "-c", SEARCHED, str(disk / "index")]
    done = subprocess.run(again, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split()[0] == "stores.txt"
    assert not done.stderr


SEARCHED = """
import asyncio, sys
from pathlib import Path
from agent.knowledge.base import KnowledgeBase
from tests.support.documents import assert_consistent, hashing, names

async def search():
    base = await KnowledgeBase.open(Path(sys.argv[1]), hashing())
    assert_consistent(base)
    print(*names(await base.search("Utrecht")))
    await base.close()

asyncio.run(search())
"""

LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from agent.errors import SelfhelpError
from agent.knowledge.base import KnowledgeBase
from tests.support.documents import hashing

async def index():
    base = await KnowledgeBase.open(Path(sys.argv[1]), hashing())
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    try:
        await base.index(sys.argv[2])
    except SelfhelpError as error:
        print(error)
    await base.close()

asyncio.run(index())
"""


@pytest.mark.parametrize("limit", [200_000, 1_000_000])
async def test_files_that_may_not_grow_are_said_and_what_was_stored_is_kept(tmp_path, docs, limit) -> None:
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    await base.index(docs)
    await base.close()
    many = write(tmp_path / "many", {f"{n}.txt": f"word{n} " * 90 for n in range(1000)})
    command = [sys.executable, "-W", "ignore", "-c", LIMITED, str(tmp_path / "index"), str(many), str(limit)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "free the disk" in said
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    assert names(await base.search("Utrecht"))[0] == "stores.txt"
    report = await base.index(many)
    assert len(report.added) + len(report.unchanged) == 1000
    assert_consistent(base)
    await base.close()
