"""The nearest vectors, in the way that suits how many of all a filter keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.knowledge.database import Database
from agent.knowledge.filters import Filter, condition_of
from agent.knowledge.vectors import VectorIndex

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

# Chroma's own filter costs 133 to 490 ms at 100,000 vectors, and finds .76 of the nearest where it keeps a tenth. So up
# to SCANNED vectors are compared one by one (8 ms for 1,000), and else the nearest of all are looked through (20 ms
# where half is kept), if that takes no more than WIDEST.
SCANNED = 5_000
WIDEST = 10_000

_PLACED = "vectors JOIN chunks ON chunks.id = chunk JOIN documents ON documents.id = document"


class Nearest:
    """Finds vectors. Threads may share it; every method blocks.

    Args:
        database: the knowledge base's file.
        index: the vector index; None where another process has it open.
    """

    def __init__(self, database: Database, index: VectorIndex | None) -> None:
        self._database = database
        self._index = index

    def search(self, vector: Vector, k: int, where: Filter) -> dict[str, float]:
        """Return the cosine similarity, -1 to 1, of the nearest vectors by key.

        Args:
            vector: what to look for.
            k: the most to return.
            where: which may be found.
        """
        if self._index is None:
            return self._scan(vector, k, where)
        with self._database.reading() as db:
            counts = self._database.counts(db, where)
        if counts.kept == counts.every:
            return self._index.search(vector, k, None)
        if counts.kept <= SCANNED:
            return self._scan(vector, k, where)
        wide = 2 * k * counts.every // counts.kept
        if wide <= WIDEST:
            found = self._kept(self._index.search(vector, wide, None), where)
            if len(found) >= k:
                return dict(sorted(found.items(), key=lambda item: -item[1])[:k])
        return self._index.search(vector, k, where)

    def _scan(self, vector: Vector, k: int, where: Filter) -> dict[str, float]:
        import numpy as np

        condition, values = condition_of(where)
        with self._database.reading() as db:
            rows = db.execute(f"SELECT key, value FROM {_PLACED} WHERE {condition}", values).fetchall()
        if not rows:
            return {}
        stored = np.frombuffer(b"".join(value for _, value in rows), np.float16).reshape(len(rows), -1)
        stored = stored.astype(np.float32)
        lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(vector)
        similarities = stored @ vector / np.maximum(lengths, np.finfo(np.float32).tiny)
        best = np.argsort(-similarities)[:k]
        return {rows[place][0]: float(similarities[place]) for place in best}

    def _kept(self, found: dict[str, float], where: Filter) -> dict[str, float]:
        condition, values = condition_of(where)
        with self._database.reading() as db:
            rows = db.execute(
                f"""SELECT chunks.key FROM json_each(?) AS wanted CROSS JOIN chunks ON chunks.key = wanted.value
                CROSS JOIN documents ON documents.id = document WHERE {condition}""",
                [json.dumps(list(found)), *values],
            )
            return {key: found[key] for (key,) in rows}
