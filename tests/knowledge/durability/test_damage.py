"""What a disk can do: truncated and missing files, a full disk, and readers while everything changes."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import SelfhelpError
from agent.knowledge import opening
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from tests.support.documents import Away, assert_consistent, hashing, names, write

ROOT = Path(__file__).parents[3]
PAGES = 1500


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed base with enough vectors for Chroma to have written its index files."""
    folder = tmp_path_factory.mktemp("indexed")
    docs = write(folder / "docs", {f"{n}.txt": f"word{n} word{n % 97} word{n % 31}" for n in range(PAGES)})

    async def fill() -> None:
        base = await KnowledgeBase.open(folder / "index", hashing())
        await base.index(docs)
        await base.close()

    asyncio.run(fill())
    return folder / "index"


@pytest.fixture
def index(indexed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(indexed, tmp_path / "index"))


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


HARM = {"truncated": truncate, "emptied": empty, "deleted": Path.unlink}
FILES = ["chroma.sqlite3", "data_level0.bin", "header.bin", "length.bin", "link_lists.bin"]


async def assert_mended(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    # An embedder that is away shows that nothing is embedded again.
    base = await KnowledgeBase.open(index, Embedder("hashing", None, Away()))
    assert "made anew from the vectors in the store" in caplog.text
    assert_consistent(base)
    base._embedder = hashing()
    assert names(await base.search("word777", k=1)) == ["777.txt"]
    await base.close()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", HARM)
async def test_a_damaged_file_of_chroma_is_noticed_and_the_index_made_anew(index, caplog, name, harm) -> None:
    [path] = (index / "chroma").rglob(name)
    if path.stat().st_size == 0:
        pytest.skip("Chroma keeps this file empty")
    HARM[harm](path)
    await assert_mended(index, caplog)


KILLED_IN_A_WRITE = """
import asyncio, os, sys
from pathlib import Path
from agent.knowledge.base import KnowledgeBase
from tests.support.documents import hashing

base = asyncio.run(KnowledgeBase.open(Path(sys.argv[1]), hashing()))
base._parts.store.intend(["0" * 32])
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("name", ["chroma.sqlite3", "data_level0.bin"])
async def test_damage_after_an_unclean_exit_is_found_by_trying_it_out(index, caplog, name) -> None:
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_IN_A_WRITE, str(index)], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    truncate(next((index / "chroma").rglob(name)))
    await assert_mended(index, caplog)


async def test_a_missing_folder_of_chroma_is_filled_again(index, caplog) -> None:
    shutil.rmtree(index / "chroma")
    base = await KnowledgeBase.open(index, hashing())
    assert "filled again" in caplog.text
    assert_consistent(base)
    await base.close()


async def test_what_was_closed_well_is_neither_tried_out_nor_filled_again(index, caplog, monkeypatch) -> None:
    def tried(*_: object) -> bool:
        raise AssertionError("a sound folder was tried out")

    monkeypatch.setattr(opening.probe, "is_sound", tried)
    for _ in range(2):
        base = await KnowledgeBase.open(index, hashing())
        assert names(await base.search("word777", k=1)) == ["777.txt"]
        await base.close()
    base = await KnowledgeBase.open(index, hashing())
    await base.search("word777")
    # As after a kill of a process that only read.
    base._parts.index.close()
    base._parts.database.close()
    base._parts.lock.release()
    again = await KnowledgeBase.open(index, hashing())
    await again.close()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_readers_see_one_version_of_a_document_while_it_is_replaced(tmp_path) -> None:
    def version(number: int) -> str:
        return "\n\n".join(f"## Rule {n}\n\nCommon rule {n} of version {number}." for n in range(300))

    docs = write(tmp_path / "docs", {"rules.md": version(0), "other.md": "# Other\n\nCommon."})
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    await base.index(docs)
    done = False

    async def read() -> int:
        count = 0
        while not done:
            found = [passage for passage in await base.search("common rule", k=50) if passage.document == "rules.md"]
            versions = {passage.text.rsplit("version ", 1)[1] for passage in found}
            assert len(versions) == 1
            count += 1
        return count

    readers = [asyncio.create_task(read()) for _ in range(3)]
    elsewhere = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(read())))
    for number in range(1, 6):
        write(docs, {"rules.md": version(number)})
        await base.index(docs)
    done = True
    assert all(await asyncio.gather(*readers, elsewhere))
    assert_consistent(base)
    await base.close()


@pytest.fixture
def small_disk(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system of its own needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_a_full_disk_is_said_and_what_was_stored_is_kept(small_disk, tmp_path, docs) -> None:
    base = await KnowledgeBase.open(small_disk / "index", hashing())
    await base.index(docs)
    many = write(tmp_path / "many", {f"{n}.txt": f"word{n} " * 90 for n in range(4000)})
    with pytest.raises(SelfhelpError, match=r"free the disk"):
        await base.index(many)
    assert names(await base.search("Utrecht"))[0] == "stores.txt"
    base.close_at_once()
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    base = await KnowledgeBase.open(small_disk / "index", hashing())
    assert names(await base.search("Utrecht"))[0] == "stores.txt"
    report = await base.index(many)
    assert len(report.added) + len(report.unchanged) == 4000
    assert_consistent(base)
    await base.close()
