"""Kills an index run with -9 again and again, and looks after each kill whether everything is as it should be.

It runs in a process of its own, which has imported everything and opened nothing, so that its forks start at once:

    python -m tests.knowledge.durability.killed DIRECTORY KILLS SEED
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import chromadb.api.rust
import chromadb.telemetry.product.posthog  # noqa: F401 - what each fork would import for itself

from agent.knowledge import probe
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.ingest import MOST_WRITTEN
from agent.knowledge.vectors.chroma import chroma_folder
from tests.support.documents import assert_consistent, hashing

# Sections of the documents. One of them alone is more than a batch of the writer.
SIZES = {**{f"small {n}.md": 1 + n % 4 for n in range(24)}, "long.md": 300, "huge.md": 1100}
ABSENT = 0
FIRST_SPAN = 0.8
# So many of the runs are killed some time after they began to write, however long that took on a busy machine.
IN_WRITING = 0.5
MENDING_SPAN = 0.2

# Said before a batch of so many passages is written.
LARGE = "large"

Tell = Callable[[list[str] | str], None]


@dataclass
class Documents:
    """A folder of documents that come, change and go, and what is known of how far the index has followed.

    Args:
        folder: the folder.
        chance: picks what changes.
    """

    folder: Path
    chance: Random
    history: dict[str, list[int]] = field(default_factory=lambda: {name: [ABSENT] for name in SIZES})
    followed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIZES, 0))

    def change(self) -> None:
        for name, versions in self.history.items():
            kind = self.chance.random()
            if kind < 0.1 and versions[-1] != ABSENT:
                (self.folder / name).unlink()
                versions.append(ABSENT)
            elif kind < 0.6 or len(versions) == 1:
                versions.append(len(versions))
                (self.folder / name).write_text(text_of(name, versions[-1]))

    def acknowledge(self, names: list[str]) -> None:
        self.followed |= {name: len(self.history[name]) - 1 for name in names}

    def allowed(self) -> dict[str, set[int]]:
        """Return the versions that each document may have in the index."""
        return {name: set(versions[self.followed[name] :]) for name, versions in self.history.items()}


def text_of(name: str, version: int) -> str:
    """Write a document every section of which says which version it is of; half of them are the same in all."""
    sections = [
        f"## Section {number}\n\n{mark(name, number)} says version {version if number % 2 == 0 else 'any'}."
        for number in range(SIZES[name])
    ]
    return "\n\n".join((f"# {name}\n\nThe head of version {version}.", *sections))


def mark(name: str, number: int) -> str:
    """Return a word that only one section of one document has."""
    return f"{re.sub(r'[ .]', '', name)}x{number}"


async def ingest(index: Path, docs: Path, tell: Tell) -> None:
    """Index the documents, and tell the names of each batch once it is written or removed."""
    base = await KnowledgeBase.open(index, hashing(128))
    writer = base._parts.writer
    put, remove = writer.put, writer.remove

    def acknowledged_put(documents, vectors):
        if sum(len(chunks) for _, chunks in documents) >= MOST_WRITTEN:
            tell(LARGE)
        missing = put(documents, vectors)
        if not missing:
            tell([document.name for document, _ in documents])
        return missing

    def acknowledged_remove(collection, source, names):
        remove(collection, source, names)
        tell(list(names))

    writer.put, writer.remove = acknowledged_put, acknowledged_remove
    await base.index(docs)
    await base.close()


async def look(index: Path, allowed: Mapping[str, set[int]]) -> None:
    """Assert that every acknowledged document can be found, and none is half there."""
    base = await KnowledgeBase.open(index, hashing(128))
    assert_consistent(base)
    with base._parts.database.reading() as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = db.execute("SELECT name, text FROM chunks JOIN documents ON documents.id = document").fetchall()
    held: dict[str, list[str]] = {name: [] for name in SIZES}
    for name, text in rows:
        held[name].append(text)
    unreached = []
    for name, texts in held.items():
        version = int(re.findall(r"head of version (\d+)", "".join(texts))[0]) if texts else ABSENT
        assert version in allowed[name], f"{name} has version {version}, not one of {allowed[name]}"
        if texts:
            passages = passages_of(name, version)
            assert Counter(texts) == Counter(passages), f"{name} is half there or of several versions"
            if not await reached(base, passages[SIZES[name] // 2 + 1]):
                unreached.append(name)
    # Every vector is there, but Chroma's graph leads to all of them only nearly always, as `probe` says.
    assert len(unreached) <= 1, f"{unreached} are not found by meaning"
    await base.close()


def passages_of(name: str, version: int) -> list[str]:
    """Return the passages of a document: its head and its sections."""
    return re.split(r"\n\n(?=## )", text_of(name, version))


async def reached(base: KnowledgeBase, text: str) -> bool:
    """Assert that a passage is found by its words, and say whether it is by its meaning."""
    [hit] = await base.hits(text, k=1)
    assert hit.passage.text == text
    assert hit.bm25, "it is not found by words"
    return bool(hit.similarity)


def forked(work: Callable[[], object]) -> int:
    """Run a function in a fork, and return its process id."""
    if pid := os.fork():
        return pid
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def running(work: Callable[[], Awaitable[None]]) -> int:
    """Run an async function in a fork with an event loop of its own, and return its process id."""
    # A fork has none of its parent's other threads, but the locks that they hold.
    assert len(list(Path("/proc/self/task").iterdir())) == 1

    def run() -> None:
        os.setpgid(0, 0)
        asyncio.run(work())

    return forked(run)


def killed(pid: int, after: float) -> bool:
    """Kill a process after some seconds, and say whether it had not ended before."""
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    # What tries a folder out ends with its parent.
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    assert os.WIFSIGNALED(status) or status == 0, "it failed by itself"
    return os.WIFSIGNALED(status)


def is_well(pid: int) -> bool:
    """Wait for a process, and say whether it succeeded."""
    return os.waitpid(pid, 0)[1] == 0


def sound_in_a_fork(folder: Path, samples: Mapping) -> bool:
    """Try a Chroma folder out as `probe` does, in a fork instead of a process that imports everything again.

    All other threads of this process wait for the outcome, and hold no lock.
    """

    def attempt() -> None:
        index = chroma_folder(folder)
        nearest = [index.search(vector, 1, None) for vector in samples.values()]
        lost = [found for found in nearest if max(found.values(), default=0.0) < 1 - probe.NEAR]
        assert len(lost) <= probe.UNREACHABLE * len(samples), f"{len(lost)} of {len(samples)} are lost"

    return is_well(forked(attempt))


def main() -> None:
    """Go on until there were as many kills as wanted, and write what came of them as JSON."""
    directory, wanted, chance = Path(sys.argv[1]), int(sys.argv[2]), Random(int(sys.argv[3]))
    index, docs = directory / "index", directory / "docs"
    docs.mkdir(parents=True)
    probe.is_sound = sound_in_a_fork
    documents = Documents(docs, chance)
    span, outcome = FIRST_SPAN, Counter()
    while outcome["kills"] < wanted:
        documents.change()
        out, into = os.pipe()
        pid = running(partial(ingest, index, docs, lambda said, to=into: send(to, said)))
        os.close(into)
        if chance.random() < IN_WRITING:
            select.select([out], [], [])
        was_killed = killed(pid, chance.uniform(0.0, span))
        # Most of the kills are to fall into the run, wherever its end is on this machine.
        span *= 1.05 if was_killed else 0.8
        with os.fdopen(out) as lines:
            said = [json.loads(line) for line in lines if line.endswith("\n")]
        acknowledged = [names for names in said if names != LARGE]
        for names in acknowledged:
            documents.acknowledge(names)
        outcome += Counter(
            kills=was_killed,
            into_writing=was_killed and bool(acknowledged),
            into_large=was_killed and said[-1:] == [LARGE],
            written=len(acknowledged),
            large=said.count(LARGE),
        )
        looking = partial(look, index, documents.allowed())
        if chance.random() < 0.25:
            while_mending = killed(running(looking), chance.uniform(0.0, MENDING_SPAN))
            outcome += Counter(kills=while_mending, while_mending=while_mending)
        assert is_well(running(looking)), f"after {outcome}"
    assert is_well(running(partial(ingest, index, docs, lambda _: None)))
    documents.acknowledge(list(SIZES))
    assert is_well(running(partial(look, index, documents.allowed())))
    json.dump(outcome, sys.stdout)


def send(to: int, said: list[str] | str) -> None:
    """Write what is said to a pipe, in one piece."""
    os.write(to, f"{json.dumps(said)}\n".encode())


if __name__ == "__main__":
    main()
