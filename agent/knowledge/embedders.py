"""Embedders by name: `openai:…`, `compatible:…`, `minilm` and `none`."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings
from pydantic import SecretStr

from agent.errors import ModelUnavailable, SelfhelpError, SettingsError
from agent.knowledge.minilm import MiniLM, shared_minilm

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

logger = logging.getLogger(__name__)

DEFAULT_OPENAI_EMBEDDER = "text-embedding-3-small"

_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
# Texts in one request: an index batch of passages stays far below OpenAI's 300,000 tokens.
_REQUEST_TEXTS = 256
_TIMEOUT = 120.0
_RETRIES = 4


class EmbeddingFailed(SelfhelpError):
    """Texts that could not be embedded."""


@dataclass(frozen=True)
class Embedder:
    """What turns texts into vectors. Threads and event loops may share it.

    Args:
        name: which model it is, as an index remembers it.
        dimension: how many numbers a vector has; None where only a first vector can tell.
        embeddings: the LangChain embeddings behind it.
        in_process: whether it computes here, so that more processes make it faster; it can be pickled then.
    """

    name: str
    dimension: int | None
    embeddings: Embeddings = field(repr=False)
    in_process: bool = False

    async def aembed(self, texts: list[str]) -> Vector:
        """Return the vector of each passage: an array of shape (texts, dimension).

        Raises:
            EmbeddingFailed: they could not be had.
        """
        # Their own async methods would tie an HTTP client to the event loop that first used it.
        return await asyncio.to_thread(embedded, self.embeddings, texts)

    async def aembed_query(self, text: str) -> Vector:
        """Return the vector of a question."""
        import numpy as np

        return np.asarray(await asyncio.to_thread(self.embeddings.embed_query, text), np.float32)


def embedded(embeddings: Embeddings, texts: list[str]) -> Vector:
    """Return the vector of each text: an array of shape (texts, dimension).

    Raises:
        EmbeddingFailed: they could not be had.
    """
    import numpy as np

    try:
        rows = np.asarray(embeddings.embed_documents(texts), np.float32)
    except SelfhelpError:
        raise
    except Exception as error:
        raise EmbeddingFailed(
            f"the embedder failed: {error}. What was indexed is kept: mend that and index again"
        ) from error
    if rows.shape[:1] != (len(texts),) or rows.ndim != 2 or not np.isfinite(rows).all():  # noqa: PLR2004 - a matrix
        raise EmbeddingFailed(f"the embedder gave no vector for each of {len(texts)} texts: choose another")
    return rows


async def open_embedder(
    spec: str | None = None,
    *,
    openai_key: SecretStr | None = None,
    openai_url: str | None = None,
    base_url: str | None = None,
    api_key: SecretStr | None = None,
) -> Embedder | None:
    """Open an embedder by name.

    Args:
        spec: `openai:NAME`, `compatible:NAME`, `minilm` or `none`. By default OpenAI's where its key is there, else
            MiniLM where its weights are, else none, which is logged.
        openai_key: OpenAI's key.
        openai_url: address to reach OpenAI at, where it is not its own.
        base_url: address of the OpenAI-compatible server of a `compatible:` embedder.
        api_key: key of that server.

    Returns:
        The embedder, or None: search then goes by words only.

    Raises:
        SettingsError: there is no such embedder, or a key or address that it needs is not set.
        ModelUnavailable: MiniLM was asked for by name, and cannot be loaded.
    """
    if spec is None:
        return await _default(openai_key, openai_url)
    provider, _, model = spec.partition(":")
    if provider == "openai":
        return await asyncio.to_thread(_openai, model or DEFAULT_OPENAI_EMBEDDER, openai_key, openai_url)
    if provider == "compatible" and model:
        return await asyncio.to_thread(_compatible, model, base_url, api_key)
    if spec == "minilm":
        return await asyncio.to_thread(_minilm)
    if spec == "none":
        return None
    raise SettingsError(f"there is no embedder {spec!r}: write openai:NAME, compatible:NAME, minilm or none")


async def _default(openai_key: SecretStr | None, openai_url: str | None) -> Embedder | None:
    if openai_key:
        return await asyncio.to_thread(_openai, DEFAULT_OPENAI_EMBEDDER, openai_key, openai_url)
    try:
        return await asyncio.to_thread(_minilm)
    except ModelUnavailable as error:
        logger.warning("documents are searched by their words only (BM25), not by meaning: %s", error)
        return None


def _minilm() -> Embedder:
    return Embedder(MiniLM.name, MiniLM.dimension, shared_minilm(), in_process=True)


def _openai(model: str, key: SecretStr | None, url: str | None) -> Embedder:
    if not key:
        raise SettingsError(f"the embedder openai:{model} needs OPENAI_API_KEY: set it, or choose minilm or none")
    return Embedder(f"openai:{model}", _DIMENSIONS.get(model), _client(model, key, url))


def _compatible(model: str, url: str | None, key: SecretStr | None) -> Embedder:
    if not url:
        raise SettingsError(f"the embedder compatible:{model} needs the address of its server: set SELFHELP_BASE_URL")
    return Embedder(f"compatible:{model}", None, _client(model, key or SecretStr("none"), url))


def _client(model: str, key: SecretStr, url: str | None) -> Embeddings:
    from langchain_openai import OpenAIEmbeddings

    return OpenAIEmbeddings(
        model=model,
        openai_api_key=key,
        openai_api_base=url,
        chunk_size=_REQUEST_TEXTS,
        # Counting tokens would download a vocabulary, and only OpenAI itself takes token ids.
        check_embedding_ctx_length=False,
        request_timeout=_TIMEOUT,
        max_retries=_RETRIES,
    )
