"""An index of vectors in Chroma: in a folder, or on a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from agent.knowledge.filters import Filter
from agent.knowledge.vectors import Entry
from agent.knowledge.vectors.servers import PATIENCE, unreachable

if TYPE_CHECKING:
    import httpx
    from chromadb import Collection
    from chromadb.api import ClientAPI
    from chromadb.api.types import QueryResult
    from chromadb.config import Settings

    from agent.knowledge.vectors import Vector

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 500

_COLLECTION = "chunks"
# Of the true 100 nearest of 15,000 passages Chroma's own 100 finds 98.4 %, and this 99.6 % in the same time.
_EFFORT = 200
# An upsert leaves keys alone that it does not name, so nothing is left out of what a vector is filtered by.
_NOBODY = ""
_UNKNOWN = -1e300
# Chroma shares what it opened per folder, and does not guard that against threads.
_opening = threading.Lock()


def chroma_folder(folder: Path) -> ChromaIndex:
    """Open the index in a Chroma folder, which only one process at a time may have open.

    Args:
        folder: the folder; it is made if need be.
    """
    # Importing Chroma takes 2 seconds.
    import chromadb

    with _opening:
        client = chromadb.PersistentClient(folder.resolve(), settings=_settings())
    return ChromaIndex(client, _COLLECTION, client.close)  # type: ignore[attr-defined]


def chroma_server(url: str, *, name: str = _COLLECTION, token: SecretStr | None = None) -> ChromaIndex:
    """Open an index on a Chroma server, which many processes may share.

    Args:
        url: address of the server.
        name: name of the index on it: 3 to 512 letters and digits.
        token: sent as a bearer token, where something in front of the server asks for one.

    Raises:
        IndexUnreachable: there is no Chroma server at the address, or it refuses the token.
    """
    import chromadb

    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    _greet(url, headers)
    with ExitStack() as undo:
        client = chromadb.HttpClient(url, headers=headers, settings=_settings())
        undo.callback(client.close)  # type: ignore[attr-defined]
        for session in _sessions(client):
            session.timeout = PATIENCE
            undo.callback(session.close)
        return ChromaIndex(client, name, undo.pop_all().close)


class ChromaIndex:
    """Vectors by key, compared by cosine. Threads may share it; every method blocks.

    Args:
        client: Chroma's client.
        name: name of the collection in Chroma.
        release: lets go of the client.
    """

    def __init__(self, client: ClientAPI, name: str, release: Callable[[], None]) -> None:
        self._client = client
        self._name = name
        self._release = release
        self._batch = min(BATCH, client.get_max_batch_size())
        self._collection = self._open()

    def upsert(self, entries: Sequence[Entry]) -> None:
        """Add vectors, or replace those of the same keys. All are of one length, and no key comes twice."""
        for batch in _batches(entries, self._batch):
            self._call(partial(_upsert, batch))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete the vectors of these keys; those that are not there do not matter."""
        for batch in _batches(keys, self._batch):
            self._call(partial(_delete, batch))

    def search(self, vector: Vector, k: int, where: Filter | None) -> dict[str, float]:
        """Return the cosine similarity, -1 to 1, of the nearest vectors by key.

        Args:
            vector: what to look for, as long as the vectors that are there.
            k: the most to return.
            where: which vectors may be found; None for all there are.
        """
        condition = _condition(where) if where else None
        found = self._call(partial(_query, vector, k, condition))
        [keys], [distances] = found["ids"], found["distances"] or [[]]
        return {key: 1.0 - distance for key, distance in zip(keys, distances, strict=True)}

    def count(self) -> int:
        """Return how many vectors there are."""
        return self._call(lambda chroma: chroma.count())

    def reset(self) -> None:
        """Delete everything. What comes next may have another length."""
        self._client.delete_collection(self._name)
        self._collection = self._open()

    def close(self) -> None:
        """Let go of files and connections."""
        with _opening:
            self._release()

    def _open(self) -> Collection:
        return self._client.get_or_create_collection(
            self._name, configuration={"hnsw": {"space": "cosine", "ef_search": _EFFORT}}, embedding_function=None
        )

    def _call(self, action: Callable[[Collection], Result]) -> Result:
        """Do something with the collection; again with the new one, where another process has reset the index."""
        from chromadb.errors import NotFoundError

        try:
            return action(self._collection)
        except NotFoundError:
            self._collection = self._open()
            return action(self._collection)


def _upsert(entries: Sequence[Entry], chroma: Collection) -> None:
    vectors: list[Any] = [entry.vector for entry in entries]
    metadata: list[Any] = [_metadata(entry) for entry in entries]
    chroma.upsert(ids=[entry.key for entry in entries], embeddings=vectors, metadatas=metadata)


def _delete(keys: list[str], chroma: Collection) -> None:
    chroma.delete(ids=keys)


def _query(vector: Any, k: int, condition: dict[str, Any] | None, chroma: Collection) -> QueryResult:
    return chroma.query(query_embeddings=[vector], n_results=k, where=condition, include=["distances"])


def _settings() -> Settings:
    from chromadb.config import Settings

    # Without _env_file Chroma reads the .env in the working directory, which is not its own.
    return Settings(_env_file=None, anonymized_telemetry=False)


def _greet(url: str, headers: dict[str, str]) -> None:
    """See that a Chroma server answers, as Chroma's client would wait for one for ever and say little."""
    import httpx2

    start = "chroma run --path FOLDER --host HOST --port PORT"
    try:
        answer = httpx2.get(f"{url.rstrip('/')}/api/v2/heartbeat", headers=headers, timeout=PATIENCE)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise unreachable("Chroma", url, str(error), start) from error
    if not answer.is_success:
        raise unreachable("Chroma", url, f"it answers with status {answer.status_code}", start)
    if "heartbeat" not in answer.text:
        raise unreachable("Chroma", url, "what answers there is no Chroma", start)


def _sessions(client: ClientAPI) -> Iterator[httpx.Client]:
    """Yield a client's HTTP sessions: Chroma lets them wait for ever, and leaves them open when it is closed."""
    holders: list[Any] = [client, client._admin_client]  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    for holder in holders:
        yield holder._server._session  # noqa: SLF001 - no public way


def _metadata(entry: Entry) -> dict[str, Any]:
    return {
        "collection": entry.collection,
        "owner": entry.owner or _NOBODY,
        "source": entry.source,
        "kind": entry.kind,
        # Chroma compares whole numbers with whole numbers only.
        "modified": _UNKNOWN if entry.modified is None else float(entry.modified),
    }


def _condition(where: Filter) -> dict[str, Any]:
    owners = [_NOBODY, where.owner] if where.owner else [_NOBODY]
    conditions: list[dict[str, Any]] = [{"collection": where.collection}, {"owner": {"$in": owners}}]
    for name, wanted in (("source", where.sources), ("kind", where.kinds)):
        if wanted:
            conditions.append({name: {"$in": list(wanted)}})
    if where.since is not None:
        conditions.append({"modified": {"$gte": float(where.since)}})
    if where.until is not None:
        conditions += [{"modified": {"$lte": float(where.until)}}, {"modified": {"$gt": _UNKNOWN}}]
    return {"$and": conditions}


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
