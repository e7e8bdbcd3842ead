"""The knowledge base's truth: documents, their chunks, and the chunks' vectors."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from agent.knowledge import words
from agent.knowledge.chunks import Chunk
from agent.knowledge.database import Database
from agent.knowledge.filters import Filter, condition_of
from agent.knowledge.vectors import Entry

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

_PLACED = "FROM chunks JOIN documents ON documents.id = document"


@dataclass(frozen=True)
class Document:
    """A document of a collection.

    Args:
        collection: name of its collection.
        source: key of the source that it comes from.
        name: its name there.
        uri: path or address at which it can be opened.
        hash: changes with anything that the index keeps of it.
        title: its title.
        kind: its format.
        owner: whose it is, None for everybody's.
        modified: when its content was last changed, in seconds since 1970, where that is known.
    """

    collection: str
    source: str
    name: str
    uri: str
    hash: str
    title: str
    kind: str
    owner: str | None
    modified: float | None


@dataclass(frozen=True)
class Indexed:
    """What the index holds of a source.

    Args:
        source: key of the source.
        collection: name of the collection.
        owner: whose its documents are, None for everybody's.
        documents: how many documents.
        chunks: how many chunks.
    """

    source: str
    collection: str
    owner: str | None
    documents: int
    chunks: int


class Store:
    """Documents, chunks and their vectors. Threads may read at any time, but only one may write; every method blocks.

    Args:
        database: the knowledge base's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """Return how many chunks there are in all collections."""
        with self._database.reading() as db:
            return int(db.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def vector_count(self) -> int:
        """Return how many chunks have a vector."""
        with self._database.reading() as db:
            return int(db.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def sources(self) -> list[Indexed]:
        """Return what there is of each source, in the order of collections and sources."""
        with self._database.reading() as db:
            rows = db.execute(
                """SELECT source, collection, owner, count(DISTINCT documents.id), count(chunks.id) FROM documents
                LEFT JOIN chunks ON document = documents.id GROUP BY collection, source, owner
                ORDER BY collection, source, owner"""
            )
            return [Indexed(*row) for row in rows]

    def chunk_counts(self, places: Iterable[tuple[str, str]]) -> dict[str, int]:
        """Return how many chunks there are of sources, by their keys.

        Args:
            places: collection and key of each. No other is looked at, however many there are.
        """
        with self._database.reading() as db:
            rows = db.execute(
                """SELECT source, count(chunks.id) FROM json_each(?) AS wanted CROSS JOIN documents
                ON collection = json_extract(wanted.value, '$[0]') AND source = json_extract(wanted.value, '$[1]')
                CROSS JOIN chunks ON document = documents.id GROUP BY source""",
                [json.dumps(list(places))],
            )
            return dict(rows)

    def check(self) -> None:
        """Read something.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        with self._database.reading() as db:
            db.execute("SELECT id FROM documents LIMIT 1").fetchone()

    def version(self, where: Filter) -> str:
        """Return what changes with any document that a filter keeps."""
        condition, values = condition_of(where)
        digest = hashlib.sha256()
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT source, name, hash FROM documents WHERE {condition} ORDER BY source, name", values
            )
            for row in rows:
                digest.update("\0".join(row).encode())
        return digest.hexdigest()

    def hashes(self, collection: str, source: str) -> dict[str, str]:
        """Return the hashes of a source's documents in a collection by name."""
        with self._database.reading() as db:
            return dict(
                db.execute("SELECT name, hash FROM documents WHERE collection = ? AND source = ?", [collection, source])
            )

    def vectors(self, keys: Iterable[str]) -> dict[str, Vector]:
        """Return the vectors of those of the keys that have one."""
        with self._database.reading() as db:
            rows = db.execute(
                """SELECT chunks.key, vectors.value FROM json_each(?) AS wanted
                CROSS JOIN chunks ON chunks.key = wanted.value CROSS JOIN vectors ON chunk = chunks.id""",
                [json.dumps(list(keys))],
            )
            return {key: _vector(value) for key, value in rows}

    def entries(self, after: int, limit: int) -> tuple[int, list[Entry]]:
        """Return chunks that have vectors, in the order of row numbers, and the last row number.

        Args:
            after: the row number to go on behind.
            limit: the most to return.
        """
        with self._database.reading() as db:
            rows = db.execute(
                f"""SELECT chunk, key, value, collection, source, kind, owner, modified
                {_PLACED} JOIN vectors ON chunk = chunks.id WHERE chunk > ? ORDER BY chunk LIMIT ?""",
                [after, limit],
            ).fetchall()
        return rows[-1][0] if rows else after, [Entry(key, _vector(value), *rest) for _, key, value, *rest in rows]

    def sample(self, most: int) -> dict[str, Vector]:
        """Return vectors by key, picked at random among those that the vector index has."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT key, value FROM vectors JOIN chunks ON chunks.id = chunk "
                "WHERE chunk IN (SELECT chunk FROM vectors ORDER BY random() LIMIT ?) "
                "AND key NOT IN (SELECT key FROM garbage)",
                [most],
            )
            return {key: _vector(value) for key, value in rows}

    def without_vector(self, most: int) -> list[tuple[int, str]]:
        """Return row number and text to embed of chunks that have no vector."""
        with self._database.reading() as db:
            rows = db.execute(
                """SELECT id, title, heading, text FROM chunks
                WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE chunk = chunks.id) ORDER BY id LIMIT ?""",
                [most],
            )
            return [(row, Chunk(title, heading, text, 0, 0, None, None).embedded) for row, title, heading, text in rows]

    def add_vectors(self, vectors: Iterable[tuple[int, Vector]]) -> None:
        """Keep the vectors of chunks by row number."""
        with self._database.writing() as db:
            db.executemany("REPLACE INTO vectors VALUES (?, ?)", ((row, _blob(vector)) for row, vector in vectors))

    def drop_vectors(self, rebuilding: str) -> None:
        """Forget all vectors and whose they were.

        Args:
            rebuilding: name of the embedder that makes new ones.
        """
        with self._database.writing() as db:
            db.execute("DELETE FROM vectors")
            db.execute("DELETE FROM meta WHERE name IN ('embedder', 'dimension')")
            db.execute("REPLACE INTO meta VALUES ('rebuilding', ?)", [rebuilding])

    def intend(self, keys: Iterable[str]) -> None:
        """Record keys as being in doubt, before their vectors are stored: they stay so unless `replace` follows.

        From here on, until it is closed, the vector index counts as one that a crash may have damaged.
        """
        with self._database.writing() as db:
            db.execute("DELETE FROM meta WHERE name = 'closed'")
            db.executemany("INSERT OR IGNORE INTO garbage VALUES (?)", [(key,) for key in keys])

    def replace(
        self,
        documents: Iterable[tuple[Document, Mapping[str, Chunk]]],
        vectors: Mapping[str, Vector],
        *,
        in_doubt: bool = False,
    ) -> None:
        """Put documents in the place of their older versions. Chunks that only the older ones have are in doubt then.

        Args:
            documents: each document with its chunks by key.
            vectors: vectors of the chunks that are new, by key.
            in_doubt: whether the vector index has yet to take over their chunks.
        """
        mark = "INSERT OR IGNORE INTO garbage VALUES (?)" if in_doubt else "DELETE FROM garbage WHERE key = ?"
        with self._database.writing() as db:
            for document, chunks in documents:
                _replace(db, document, chunks)
                db.executemany(mark, [(key,) for key in chunks])
            db.executemany(
                "INSERT OR IGNORE INTO vectors SELECT id, ? FROM chunks WHERE key = ?",
                ((_blob(vector), key) for key, vector in vectors.items()),
            )

    def remove(self, collection: str, source: str, names: Iterable[str]) -> None:
        """Remove documents of a source; their chunks are in doubt then."""
        with self._database.writing() as db:
            for name in names:
                place = [collection, source, name]
                db.execute(
                    f"INSERT OR IGNORE INTO garbage SELECT key {_PLACED} "
                    "WHERE collection = ? AND source = ? AND name = ?",
                    place,
                )
                db.execute("DELETE FROM documents WHERE collection = ? AND source = ? AND name = ?", place)

    def doubted(self, most: int) -> list[str]:
        """Return keys whose vectors may not be in the vector index as they are here."""
        with self._database.reading() as db:
            return [key for (key,) in db.execute("SELECT key FROM garbage LIMIT ?", [most])]

    def entries_of(self, keys: Sequence[str]) -> list[Entry]:
        """Return those of the chunks that there are, with their vectors."""
        with self._database.reading() as db:
            rows = db.execute(
                """SELECT chunks.key, vectors.value, collection, source, kind, owner, modified
                FROM json_each(?) AS wanted CROSS JOIN chunks ON chunks.key = wanted.value
                CROSS JOIN vectors ON chunk = chunks.id CROSS JOIN documents ON documents.id = document""",
                [json.dumps(keys)],
            )
            return [Entry(key, _vector(value), *rest) for key, value, *rest in rows]

    def settle(self, keys: Iterable[str]) -> None:
        """Take keys out of doubt, as the vector index has been brought in line."""
        with self._database.writing() as db:
            db.executemany("DELETE FROM garbage WHERE key = ?", [(key,) for key in keys])


def _replace(db: sqlite3.Connection, document: Document, chunks: Mapping[str, Chunk]) -> None:
    columns = astuple(document)
    [row] = db.execute(
        """INSERT INTO documents (collection, source, name, uri, hash, title, kind, owner, modified)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (collection, source, name) DO UPDATE SET uri = excluded.uri,
        hash = excluded.hash, title = excluded.title, kind = excluded.kind, owner = excluded.owner,
        modified = excluded.modified RETURNING id""",
        columns,
    ).fetchone()
    listed = json.dumps(list(chunks))
    gone = "document = ? AND key NOT IN (SELECT value FROM json_each(?))"
    db.execute(f"INSERT OR IGNORE INTO garbage SELECT key FROM chunks WHERE {gone}", [row, listed])
    db.execute(f"DELETE FROM chunks WHERE {gone}", [row, listed])
    db.executemany(
        # What is searched by words and what is embedded stays with a key; only its place may be another.
        """INSERT INTO chunks (key, document, identifiers, title, heading, text, start_offset, end_offset, first_line,
        last_line, page) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET
        start_offset = excluded.start_offset, end_offset = excluded.end_offset, first_line = excluded.first_line,
        last_line = excluded.last_line, page = excluded.page""",
        ((key, row, words.identifier_parts(chunk.text), *astuple(chunk)) for key, chunk in chunks.items()),
    )


def _blob(vector: Vector) -> bytes:
    import numpy as np

    return vector.astype(np.float16).tobytes()


def _vector(value: bytes) -> Vector:
    import numpy as np

    return np.frombuffer(value, np.float16).astype(np.float32)
