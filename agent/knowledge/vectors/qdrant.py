"""An index of vectors on a Qdrant server."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from agent.knowledge.filters import Filter
from agent.knowledge.vectors import Entry, IndexUnreachable
from agent.knowledge.vectors.servers import PATIENCE, unreachable

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

    from agent.knowledge.vectors import Vector

# A server takes 32 MB at a time, and a vector may have 3,000 numbers of 20 digits.
BATCH = 200

_COLLECTION = "chunks"
_KEYWORDS = ("collection", "owner", "source", "kind")
_NOBODY = ""


def qdrant_server(url: str, *, name: str = _COLLECTION, key: SecretStr | None = None) -> QdrantIndex:
    """Open an index on a Qdrant server, which many processes may share.

    Args:
        url: address of the server; its port is 6333 where the address has none.
        name: name of the index on it.
        key: the server's API key, where it asks for one.

    Raises:
        IndexUnreachable: there is no Qdrant server at the address, it refuses the key, or its client is not installed.
    """
    try:
        from qdrant_client import QdrantClient
        from qdrant_client.http.exceptions import ApiException
    except ModuleNotFoundError as error:
        raise IndexUnreachable("Qdrant's client is missing: pip install 'selfhelp[qdrant]'") from error
    try:
        secret = key.get_secret_value() if key else None
        client = QdrantClient(url=url, api_key=secret, timeout=PATIENCE, check_compatibility=False)
        client.collection_exists(name)
    except (ApiException, ValueError) as error:
        raise unreachable("Qdrant", url, str(error), "docker run -p 6333:6333 qdrant/qdrant") from error
    return QdrantIndex(client, name)


class QdrantIndex:
    """Vectors by key, compared by cosine. Threads may share it; every method blocks.

    Args:
        client: Qdrant's client.
        name: name of the collection in Qdrant. It is made with the first vectors, whose length it takes on.
    """

    def __init__(self, client: QdrantClient, name: str = _COLLECTION) -> None:
        self._client = client
        self._name = name
        self._making = threading.Lock()

    def upsert(self, entries: Sequence[Entry]) -> None:
        """Add vectors, or replace those of the same keys. All are of one length, and no key comes twice."""
        if not entries:
            return
        self._make(len(entries[0].vector))
        self._client.upload_points(self._name, map(_point, entries), batch_size=BATCH, wait=True)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete the vectors of these keys; those that are not there do not matter."""
        if keys and self._is_there():
            self._client.delete(self._name, [_id(key) for key in keys])

    def search(self, vector: Vector, k: int, where: Filter | None) -> dict[str, float]:
        """Return the cosine similarity, -1 to 1, of the nearest vectors by key.

        Args:
            vector: what to look for, as long as the vectors that are there.
            k: the most to return.
            where: which vectors may be found; None for all there are.
        """
        if not self._is_there():
            return {}
        found = self._client.query_points(
            self._name, vector, query_filter=_condition(where) if where else None, limit=k, with_payload=False
        )
        return {uuid.UUID(str(point.id)).hex: point.score for point in found.points}

    def count(self) -> int:
        """Return how many vectors there are."""
        return self._client.count(self._name).count if self._is_there() else 0

    def reset(self) -> None:
        """Delete everything. What comes next may have another length."""
        self._client.delete_collection(self._name)

    def close(self) -> None:
        """Let go of files and connections."""
        self._client.close()

    def _is_there(self) -> bool:
        return self._client.collection_exists(self._name)

    def _make(self, dimension: int) -> None:
        """Make the collection if there is none, with an index on all that is filtered by."""
        from qdrant_client import models

        with self._making:
            if self._is_there():
                return
            cosine = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
            self._client.create_collection(self._name, cosine)
            for field in _KEYWORDS:
                self._client.create_payload_index(self._name, field, models.PayloadSchemaType.KEYWORD)
            self._client.create_payload_index(self._name, "modified", models.PayloadSchemaType.FLOAT)


def _id(key: str) -> str:
    return str(uuid.UUID(hex=key))


def _point(entry: Entry) -> models.PointStruct:
    from qdrant_client import models

    filtered_by = {
        "collection": entry.collection,
        "owner": entry.owner or _NOBODY,
        "source": entry.source,
        "kind": entry.kind,
        "modified": entry.modified,
    }
    return models.PointStruct(id=_id(entry.key), vector=entry.vector.tolist(), payload=filtered_by)


def _condition(where: Filter) -> models.Filter:
    from qdrant_client import models

    owners = (_NOBODY, where.owner) if where.owner else (_NOBODY,)
    wanted = ((where.collection,), owners, where.sources, where.kinds)
    conditions: list[models.Condition] = [
        models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))
        for field, values in zip(_KEYWORDS, wanted, strict=True)
        if values
    ]
    if where.since is not None or where.until is not None:
        # A range leaves out what has no date.
        conditions.append(models.FieldCondition(key="modified", range=models.Range(gte=where.since, lte=where.until)))
    return models.Filter(must=conditions)
