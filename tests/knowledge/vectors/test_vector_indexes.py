from __future__ import annotations

import dataclasses
import itertools
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from qdrant_client import QdrantClient

from agent.knowledge.filters import Filter
from agent.knowledge.vectors import Entry, IndexUnreachable, VectorIndex, chroma
from agent.knowledge.vectors.chroma import chroma_folder, chroma_server
from agent.knowledge.vectors.qdrant import QdrantIndex, qdrant_server
from tests.support import chroma_server as servers

# Qdrant's indexes on what is filtered by are for servers; its local mode says so and does without.
LOCAL = pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")
EAST = np.array([1, 0, 0], np.float32)
HIT = Entry(uuid.UUID(int=1).hex, EAST, "default", "docs", "markdown", None, 1000.0)


class OneAtATime:
    """Qdrant's local mode lets a search fail while another thread writes; its servers do not."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(*args, **kwargs)

        return call


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.serve(tmp_path_factory.mktemp("chroma-server")) as url:
        yield url


@pytest.fixture(params=["chroma_folder", "chroma_server", pytest.param("qdrant", marks=LOCAL)])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    opened: VectorIndex
    if request.param == "chroma_folder":
        opened = chroma_folder(tmp_path / "chroma")
    elif request.param == "chroma_server":
        opened = chroma_server(request.getfixturevalue("server"), name=uuid.uuid4().hex)
    else:
        opened = QdrantIndex(OneAtATime(QdrantClient(":memory:")))
    with closing(opened):
        yield opened


def key(number: int) -> str:
    return uuid.UUID(int=number).hex


def entry(number: int, *vector: float) -> Entry:
    return dataclasses.replace(HIT, key=key(number), vector=np.array(vector, np.float32))


def around_a_circle(count: int) -> list[Entry]:
    """Vectors of which each is nearer to east than the next."""
    angles = np.linspace(0, np.pi, count)
    return [entry(number, np.cos(angle), np.sin(angle), 0) for number, angle in enumerate(angles)]


def test_the_nearest_come_with_their_cosine_similarity(index: VectorIndex) -> None:
    index.upsert([entry(1, -2, 0, 0), entry(2, 0, 3, 0), entry(3, 3, 4, 0), entry(4, 5, 0, 0)])
    found = index.search(EAST, 4, None)
    assert found == pytest.approx({key(4): 1.0, key(3): 0.6, key(2): 0.0, key(1): -1.0}, abs=1e-6)
    assert sorted(found, key=found.__getitem__, reverse=True)[:2] == [key(4), key(3)]
    assert set(index.search(EAST, 2, None)) == {key(4), key(3)}


def test_the_nearest_come_first(index: VectorIndex) -> None:
    index.upsert(list(reversed(around_a_circle(20))))
    assert list(index.search(EAST, 5, None)) == [key(number) for number in range(5)]


def test_there_may_be_fewer_than_asked_for(index: VectorIndex) -> None:
    index.upsert(around_a_circle(3))
    assert len(index.search(EAST, 100, None)) == 3
    assert len(index.search(EAST, 100, Filter())) == 3


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert index.count() == 0
    assert index.search(EAST, 10, None) == {}
    assert index.search(EAST, 10, Filter(kinds=("pdf",))) == {}
    index.upsert([])
    index.delete([])
    index.delete([key(1)])
    index.reset()
    assert index.count() == 0


def test_what_is_put_again_is_replaced(index: VectorIndex) -> None:
    index.upsert([dataclasses.replace(HIT, owner="ann", modified=5.0), entry(2, 0, 1, 0)])
    index.upsert([dataclasses.replace(HIT, vector=-EAST, source="other", owner=None, modified=None)])
    assert index.count() == 2
    assert index.search(EAST, 1, Filter(sources=("other",))) == pytest.approx({HIT.key: -1.0})
    assert HIT.key not in index.search(EAST, 10, Filter(sources=("docs",)))
    assert HIT.key not in index.search(EAST, 10, Filter(until=10.0))


def test_what_is_deleted_is_found_no_more(index: VectorIndex) -> None:
    index.upsert(around_a_circle(4))
    index.delete([])
    index.delete([key(0), key(2), key(99)])
    assert index.count() == 2
    assert set(index.search(EAST, 10, None)) == {key(1), key(3)}


MISSES = {
    "collection": ({"collection": "other"}, Filter()),
    "another's": ({"owner": "bob"}, Filter(owner="ann")),
    "somebody's": ({"owner": "bob"}, Filter()),
    "source": ({"source": "web"}, Filter(sources=("docs", "more"))),
    "kind": ({"kind": "pdf"}, Filter(kinds=("markdown", "html"))),
    "older": ({"modified": 999.5}, Filter(since=1000)),
    "newer": ({"modified": 1000.5}, Filter(until=1000)),
    "undated since": ({"modified": None}, Filter(since=-1e12)),
    "undated until": ({"modified": None}, Filter(until=1e12)),
}


@pytest.mark.parametrize("what", MISSES)
def test_a_filter_leaves_out_what_does_not_match(index: VectorIndex, what: str) -> None:
    changes, where = MISSES[what]
    index.upsert([HIT, dataclasses.replace(HIT, key=key(2), **changes)])
    assert set(index.search(EAST, 10, where)) == {HIT.key}
    assert set(index.search(EAST, 10, None)) == {HIT.key, key(2)}


def test_people_find_their_own_and_what_is_everybodys(index: VectorIndex) -> None:
    owners = {1: None, 2: "ann", 3: "bob", 4: 'o"hara'}
    index.upsert([dataclasses.replace(HIT, key=key(number), owner=owner) for number, owner in owners.items()])
    assert set(index.search(EAST, 10, Filter(owner="ann"))) == {key(1), key(2)}
    assert set(index.search(EAST, 10, Filter(owner='o"hara'))) == {key(1), key(4)}
    assert set(index.search(EAST, 10, Filter())) == {key(1)}


def test_moments_count_as_within_and_may_be_whole_numbers(index: VectorIndex) -> None:
    moments = [-3.0, 0, 5, 5.5, 1_700_000_000.25]
    index.upsert([dataclasses.replace(HIT, key=key(number), modified=at) for number, at in enumerate(moments)])
    assert set(index.search(EAST, 10, Filter(since=0, until=5))) == {key(1), key(2)}
    assert set(index.search(EAST, 10, Filter(since=5.5))) == {key(3), key(4)}
    assert set(index.search(EAST, 10, Filter(until=-3))) == {key(0)}


def test_all_conditions_of_a_filter_hold_at_once(index: VectorIndex) -> None:
    combined = itertools.product(
        ["default", "other"], [None, "ann", "bob"], ["docs", "web"], ["pdf", "text"], [None, 1.0, 2.0, 3.0]
    )
    entries = [
        Entry(key(number), EAST, collection, source, kind, owner, modified)
        for number, (collection, owner, source, kind, modified) in enumerate(combined)
    ]
    index.upsert(entries)
    where = Filter("other", "bob", ("web",), ("text",), 1.5, 2.5)
    wanted = {each.key for each in entries if each.collection == "other" and each.owner in (None, "bob")}
    wanted &= {each.key for each in entries if (each.source, each.kind, each.modified) == ("web", "text", 2.0)}
    assert len(wanted) == 2
    assert set(index.search(EAST, 100, where)) == wanted


def test_more_than_a_batch_is_put_and_deleted(index: VectorIndex) -> None:
    index.upsert(around_a_circle(1200))
    assert index.count() == 1200
    assert index.search(-EAST, 1, None) == pytest.approx({key(1199): 1.0})
    index.delete([key(number) for number in range(1, 1200)])
    assert index.count() == 1
    assert set(index.search(EAST, 10, None)) == {key(0)}


def test_after_a_reset_vectors_may_have_another_length(index: VectorIndex) -> None:
    index.upsert(around_a_circle(3))
    index.reset()
    assert index.count() == 0
    index.upsert([entry(7, 0, 0, 0, 0, 1)])
    longer = np.array([0, 0, 0, 1, 1], np.float32)
    assert index.search(longer, 10, Filter()) == pytest.approx({key(7): 0.5**0.5})


def test_threads_share_an_index(index: VectorIndex) -> None:
    index.upsert([entry(0, 1, 0, 0)])

    def put_and_find(thread: int) -> bool:
        numbers = range(1000 * thread, 1000 * thread + 12)
        for number in numbers:
            index.upsert([entry(number, *np.random.default_rng(number).normal(size=3))])
        index.delete([key(number) for number in numbers[::3]])
        return key(0) in index.search(EAST, 200, None)

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(put_and_find, range(1, 7)))
    assert index.count() == 1 + 6 * 8
    left = {key(1000 * thread + number) for thread in range(1, 7) for number in range(12) if number % 3}
    assert set(index.search(EAST, 200, None)) == {key(0)} | left


@pytest.mark.parametrize(
    "reopen",
    [
        chroma_folder,
        pytest.param(lambda folder: QdrantIndex(QdrantClient(path=str(folder))), marks=LOCAL),
    ],
    ids=["chroma", "qdrant"],
)
def test_a_folder_keeps_what_is_in_it(reopen: Callable[[Path], VectorIndex], tmp_path: Path) -> None:
    with closing(reopen(tmp_path / "index")) as first:
        first.upsert(around_a_circle(150))
    with closing(reopen(tmp_path / "index")) as second:
        assert second.count() == 150
        assert set(second.search(EAST, 3, Filter())) == {key(0), key(1), key(2)}


def test_clients_of_a_server_see_what_others_write(server: str) -> None:
    name = uuid.uuid4().hex
    with closing(chroma_server(server, name=name)) as one, closing(chroma_server(server, name=name)) as two:
        one.upsert([entry(1, 1, 0, 0)])
        two.upsert([entry(2, 0, 1, 0)])
        assert set(one.search(EAST, 10, Filter())) == set(two.search(EAST, 10, None)) == {key(1), key(2)}
        one.reset()
        assert two.count() == 0
        two.upsert([entry(3, 1, 0)])
        assert set(one.search(EAST[:2], 10, None)) == {key(3)}


def test_indexes_of_other_names_are_apart(server: str) -> None:
    with closing(chroma_server(server, name="left")) as left, closing(chroma_server(server, name="right")) as right:
        left.upsert([entry(1, 1, 0, 0)])
        right.reset()
        assert (left.count(), right.count()) == (1, 0)


@pytest.mark.parametrize("opening", [chroma_server, qdrant_server])
@pytest.mark.parametrize("address", ["http://ann:secret@127.0.0.1:1", "127.0.0.1:1", "http://", ""])
def test_an_error_names_a_server_that_does_not_answer(opening: Callable[[str], VectorIndex], address: str) -> None:
    with pytest.raises(IndexUnreachable) as raised:
        opening(address)
    assert f"at {address.replace('ann:secret@', '')} cannot be used: " in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_error_says_that_a_server_is_another(server: str) -> None:
    with pytest.raises(IndexUnreachable, match="status 404"):
        chroma_server(f"{server}/elsewhere")
    with pytest.raises(IndexUnreachable, match="404"):
        qdrant_server(server)


def test_a_token_lets_through_what_guards_a_server(server: str) -> None:
    with servers.guard(server, "open sesame") as guarded:
        with pytest.raises(IndexUnreachable, match="status 401"):
            chroma_server(guarded, token=SecretStr("sesame"))
        with closing(chroma_server(guarded, name="guarded", token=SecretStr("open sesame"))) as index:
            index.upsert(around_a_circle(3))
            index.delete([key(2)])
            assert set(index.search(EAST, 10, Filter())) == {key(0), key(1)}
            index.reset()


def test_an_error_names_a_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(IndexUnreachable, match="timed out"):
        chroma_server(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_an_error_says_that_qdrant_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(IndexUnreachable, match=r"pip install 'selfhelp\[qdrant\]'"):
        qdrant_server("http://127.0.0.1:1")


def test_threads_open_and_close_indexes_at_once(server: str, tmp_path: Path) -> None:
    def open_both(number: int) -> int:
        with (
            closing(chroma_folder(tmp_path / "shared")) as folder,
            closing(chroma_server(server, name="shared")) as far,
        ):
            for index in (folder, far):
                index.upsert([entry(number, 1, 0, 0)])
            return far.count()

    with ThreadPoolExecutor(4) as threads:
        assert min(threads.map(open_both, range(8))) > 0
    with closing(chroma_folder(tmp_path / "shared")) as folder:
        assert folder.count() == 8
