"""What a disk or a crash can do to Chroma's files, and what it takes to notice."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.knowledge import opening
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from tests.knowledge.durability.dying import ROOT, killed_in
from tests.support.documents import Away, assert_consistent, hashing, write

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


@pytest.fixture(scope="module")
def before(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> object:
    """What searches found in that base."""

    async def ask() -> object:
        base = await KnowledgeBase.open(shutil.copytree(indexed, tmp_path_factory.mktemp("before") / "i"), hashing())
        found = await answers(base)
        await base.close()
        return found

    return asyncio.run(ask())


@pytest.fixture
def index(indexed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(indexed, tmp_path / "index"))


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


HARM = {"truncated": truncate, "emptied": empty, "deleted": Path.unlink}
FILES = ["chroma.sqlite3", "data_level0.bin", "header.bin", "index_metadata.pickle", "length.bin", "link_lists.bin"]
QUERIES = [f"word{n} word{n % 97} word{n % 31}" for n in range(0, PAGES, 150)]


async def answers(base: KnowledgeBase) -> list[list[tuple[str, float | None]]]:
    return [[(hit.passage.document, hit.similarity) for hit in await base.hits(query, k=3)] for query in QUERIES]


async def assert_mended(index: Path, before: object, caplog: pytest.LogCaptureFixture) -> None:
    # An embedder that is away shows that nothing is embedded again.
    base = await KnowledgeBase.open(index, Embedder("hashing", None, Away()))
    assert "made anew from the vectors in the store" in caplog.text
    assert_consistent(base)
    base._embedder = hashing()
    assert await answers(base) == before
    await base.close()


def test_these_are_all_files_of_chroma(index) -> None:
    assert sorted(path.name for path in (index / "chroma").rglob("*") if path.is_file()) == FILES


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", HARM)
async def test_a_damaged_file_of_chroma_is_noticed_and_the_index_made_anew(index, before, caplog, name, harm) -> None:
    [path] = (index / "chroma").rglob(name)
    HARM[harm](path)
    await assert_mended(index, before, caplog)


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
async def test_damage_after_a_kill_is_found_by_trying_it_out(index, before, caplog, name) -> None:
    assert killed_in(KILLED_IN_A_WRITE, index)
    truncate(next((index / "chroma").rglob(name)))
    await assert_mended(index, before, caplog)


async def test_what_a_kill_left_sound_is_tried_out_and_kept(index, before, caplog) -> None:
    assert killed_in(KILLED_IN_A_WRITE, index)
    base = await KnowledgeBase.open(index, hashing())
    assert await answers(base) == before
    assert not caplog.records
    await base.close()


async def test_a_missing_folder_of_chroma_is_filled_again(index, caplog) -> None:
    shutil.rmtree(index / "chroma")
    base = await KnowledgeBase.open(index, hashing())
    assert "filled again" in caplog.text
    assert_consistent(base)
    await base.close()


KILLED_WHILE_IT_READS = """
import asyncio, os, sys
from pathlib import Path
from agent.knowledge.base import KnowledgeBase
from tests.support.documents import hashing

async def read():
    base = await KnowledgeBase.open(Path(sys.argv[1]), hashing())
    await base.search("word777")
    os.kill(os.getpid(), 9)

asyncio.run(read())
"""


async def test_what_was_only_read_since_it_was_closed_is_not_tried_out(index, before, caplog, monkeypatch) -> None:
    def tried(*_: object) -> bool:
        raise AssertionError("a sound folder was tried out")

    monkeypatch.setattr(opening.probe, "is_sound", tried)
    for _ in range(2):
        base = await KnowledgeBase.open(index, hashing())
        assert await answers(base) == before
        await base.close()
    assert killed_in(KILLED_WHILE_IT_READS, index)
    await (await KnowledgeBase.open(index, hashing())).close()
    assert not caplog.records


async def test_trying_a_folder_out_ends_with_the_process_that_asked_for_it(index) -> None:
    command = [sys.executable, "-m", "agent.knowledge.probe", str(index / "chroma")]
    trying = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True)
    assert trying.stdin
    trying.stdin.write("{}\n")
    trying.stdin.close()
    assert trying.wait() == 1
