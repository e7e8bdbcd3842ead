"""Vectors of texts that are embedded once and kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from agent.models.weights import cache_dir

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_TIMEOUT = 30.0


def remembered(embeddings: Embeddings, model: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the vector of each text, an array of shape (texts, dimension), embedding only those that are new.

    Args:
        embeddings: makes the vectors.
        model: the name that they are kept under.
        texts: the texts.
    """
    import numpy as np

    keys = [hashlib.sha256(f"{model}\n{text}".encode(errors="surrogatepass")).hexdigest() for text in texts]
    known = _load(keys)
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if new:
        vectors = np.asarray(embeddings.embed_documents(list(new.values())), np.float32)
        known |= (made := {key: vector.tobytes() for key, vector in zip(new, vectors, strict=True)})
        _save(made)
    return np.stack([np.frombuffer(known[key], np.float32) for key in keys])


def _load(keys: Sequence[str]) -> dict[str, bytes]:
    try:
        with closing(_open()) as db:
            return dict(
                db.execute(
                    "SELECT key, vector FROM vectors WHERE key IN (SELECT value FROM json_each(?))", [json.dumps(keys)]
                )
            )
    except (OSError, sqlite3.Error) as error:
        logger.warning("the vectors in %s cannot be read, and are made again: %s", cache_dir(), error)
        return {}


def _save(vectors: dict[str, bytes]) -> None:
    try:
        with closing(_open()) as db, db:
            db.executemany("INSERT OR REPLACE INTO vectors (key, vector) VALUES (?, ?)", vectors.items())
    except (OSError, sqlite3.Error) as error:
        logger.warning("vectors cannot be kept in %s: %s", cache_dir(), error)


def _open() -> sqlite3.Connection:
    cache_dir().mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(cache_dir() / "vectors.sqlite", timeout=_TIMEOUT)
    db.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")
    return db
