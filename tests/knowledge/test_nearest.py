"""The nearest vectors under a filter: the same ones, whichever way they are found."""

import numpy as np
import pytest

from agent.knowledge import nearest
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.filters import Filter
from tests.support.documents import Hashing, hashing, write

STAFF = Filter(collection="staff")


@pytest.fixture
async def base(tmp_path):
    opened = await KnowledgeBase.open(tmp_path / "index", hashing(16))
    for collection, count in (("default", 300), ("staff", 200)):
        lines = [f"word{n} word{n * 7 % 31} word{n * 13 % 17} of {collection}" for n in range(count)]
        source = write(tmp_path / collection, {f"{n}.txt": line for n, line in enumerate(lines)})
        await opened.index(source, collection=collection)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("scanned", "widest"), [(1000, 0), (0, 10_000), (0, 0)], ids=["one by one", "among the nearest of all", "Chroma's"]
)
@pytest.mark.parametrize("k", [1, 20, 150])
async def test_every_way_finds_the_nearest_that_the_filter_keeps(base, monkeypatch, scanned, widest, k) -> None:
    monkeypatch.setattr(nearest, "SCANNED", scanned)
    monkeypatch.setattr(nearest, "WIDEST", widest)
    vector = np.asarray(Hashing(16).embed_query("word3 word21 word5"), np.float32)
    stored = {entry.key: entry for entry in base._parts.store.entries(0, 1000)[1]}
    cosines = {
        key: float(entry.vector @ vector / np.linalg.norm(entry.vector) / np.linalg.norm(vector))
        for key, entry in stored.items()
        if entry.collection == "staff"
    }
    found = base._nearest.search(vector, k, STAFF)
    assert len(found) == k
    assert {stored[key].collection for key in found} == {"staff"}
    assert sorted(found.values()) == pytest.approx(sorted(cosines.values())[-k:], abs=2e-3)


async def test_what_is_written_counts_at_once(base, tmp_path) -> None:
    vector = np.asarray(Hashing(16).embed_query("new"), np.float32)
    assert len(base._nearest.search(vector, 500, STAFF)) == 200
    await base.index(write(tmp_path / "more", {"new.txt": "new"}), collection="staff")
    assert len(base._nearest.search(vector, 500, STAFF)) == 201
    await base.remove(str(tmp_path / "staff"), collection="staff")
    assert len(base._nearest.search(vector, 500, STAFF)) == 1
    assert base._nearest.search(vector, 500, Filter(collection="nothing")) == {}
