"""Kills an ingest with -9 again and again, and looks after each kill whether everything is as it should be.

It runs in a process of its own, which has imported everything and opened nothing, so that its forks start at once:

    python -m tests.knowledge.durability.killed DIRECTORY ROUNDS SEED
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import chromadb  # noqa: F401 - what forks are not to import each
import onnxruntime  # noqa: F401

from agent.knowledge import opening, probe
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.filters import Filter
from tests.support.documents import assert_consistent, hashing

# Sections of the documents. One of them alone is more than a batch of the writer.
SIZES = {**{f"small {n}.md": 1 + n % 4 for n in range(40)}, "long 1.md": 300, "long 2.md": 420, "huge.md": 1100}
FIRST_SPAN = 0.8


def text_of(name: str, version: int) -> str:
    """Write a document every section of which says which version it is of; half of each are the same in all."""
    sections = []
    for number in range(SIZES[name]):
        of = version if number % 2 == 0 else "any"
        sections.append(f"## Section {number}\n\nmark{abs(hash_of(name))}x{number} says version {of}.")
    return f"# {name}\n\nThe head of version {version}.\n\n" + "\n\n".join(sections)


def hash_of(name: str) -> int:
    """Return a number for a name, the same in every process."""
    return int.from_bytes(name.encode()[-6:], "big")


def forked(work: Callable[[], None]) -> int:
    """Run a function in a fork, and return its process id."""
    if pid := os.fork():
        return pid
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ingest(directory: Path, acknowledge: Callable[[Mapping[str, int]], None], versions: Mapping[str, int]) -> None:
    """Index the documents, and acknowledge each batch once it is written."""

    async def run() -> None:
        base = await KnowledgeBase.open(directory / "index", hashing())
        put = base._parts.writer.put

        def acknowledged(documents, vectors):
            missing = put(documents, vectors)
            if not missing:
                acknowledge({document.name: versions[document.name] for document, _ in documents})
            return missing

        base._parts.writer.put = acknowledged
        await base.index(directory / "docs")
        await base.close()

    asyncio.run(run())


def look(directory: Path, acknowledged: Mapping[str, int], versions: Mapping[str, int]) -> None:
    """Assert that every acknowledged document is there, and none is half there."""

    async def run() -> None:
        base = await KnowledgeBase.open(directory / "index", hashing())
        assert_consistent(base)
        with base._parts.database.reading() as db:
            rows = db.execute("SELECT name, text FROM chunks JOIN documents ON documents.id = document").fetchall()
        held: dict[str, list[str]] = {}
        for name, text in rows:
            held.setdefault(name, []).append(text)
        for name, texts in held.items():
            [head] = [text for text in texts if "The head of version" in text]
            version = int(head.split("version ")[1].split(".")[0])
            assert acknowledged.get(name, 0) <= version <= versions.get(name, version), name
            whole = text_of(name, version)
            assert all(text in whole for text in texts), f"{name} is of several versions"
            assert sum(text.count("## Section") for text in texts) == SIZES[name], f"{name} is half there"
        assert not [name for name in acknowledged if name not in held]
        for name in random.sample(sorted(held), min(5, len(held))):
            found = await base.search(f"mark{abs(hash_of(name))}x0 says", k=1)
            assert [passage.document for passage in found] == [name]
            vector = await hashing().aembed_query(found[0].text)
            nearest = base._nearest.search(vector, 100, Filter())
            assert nearest
        await base.close()

    asyncio.run(run())


def main() -> None:
    """Run the rounds, and write what came of them as JSON."""
    directory, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)
    opening.probe.is_sound = sound_in_a_fork
    docs = directory / "docs"
    docs.mkdir(parents=True)
    versions: dict[str, int] = {}
    acknowledged: dict[str, int] = {}
    kills = batches = 0
    span = FIRST_SPAN
    while kills < rounds:
        for name in SIZES:
            if name not in versions or chance.random() < 0.6:
                versions[name] = versions.get(name, 0) + 1
                (docs / name).write_text(text_of(name, versions[name]))
        out, into = os.pipe()
        pid = forked(
            lambda into=into: ingest(
                directory, lambda names: os.write(into, f"{json.dumps(names)}\n".encode()) and None, versions
            )
        )
        os.close(into)
        time.sleep(chance.uniform(0.02, span))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        kills += os.WIFSIGNALED(status)
        # Most of the kills are to fall into the run, wherever its end is on this machine.
        span *= 1.1 if os.WIFSIGNALED(status) else 0.8
        with os.fdopen(out) as lines:
            for line in lines:
                if line.endswith("\n"):
                    acknowledged |= json.loads(line)
                    batches += 1
        _, status = os.waitpid(forked(partial(look, directory, acknowledged, versions)), 0)
        if status:
            sys.exit(f"after kill {kills} of seed {seed}")
    _, status = os.waitpid(forked(lambda: ingest(directory, lambda _: None, versions)), 0)
    assert status == 0
    _, status = os.waitpid(forked(lambda: look(directory, versions, versions)), 0)
    assert status == 0
    json.dump({"kills": kills, "batches": batches, "acknowledged": len(acknowledged)}, sys.stdout)


def sound_in_a_fork(folder: Path, samples: Mapping) -> bool:
    """Try a Chroma folder out as `probe` does, in a fork instead of a process that imports everything again."""

    def attempt() -> None:
        from agent.knowledge.vectors.chroma import chroma_folder

        index = chroma_folder(folder)
        for vector in samples.values():
            if max(index.search(vector, 1, None).values(), default=0.0) < 1 - probe.NEAR:
                os._exit(1)

    _, status = os.waitpid(forked(attempt), 0)
    return status == 0


if __name__ == "__main__":
    main()
