from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck

from agent.settings import Settings
from tests.support.model_server import ModelServer, serve

# Set before LangGraph is imported: types that a checkpoint may not hold are an error.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["LANGSMITH_TRACING"] = "false"
# Read when modules are imported: what the developer's terminal is like, and a way to the world that leads not to this machine.
for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(name, None)
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"
# A shell that runs the tests in the background has Ctrl-C ignored, by them and by every command that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Whatever else the machine has to do, only what is found counts, and what fails once fails again. Fixtures of a function are
# shared by its examples.
hypothesis.settings.register_profile(
    "selfhelp",
    hypothesis.settings.default,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("selfhelp")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no setting and no file of the developer's reaches a test, so no real model can be asked."""
    for name in list(os.environ):
        if name.startswith(("SELFHELP_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_")) and name != "SELFHELP_CACHE_DIR":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def one_day() -> None:
    """What is counted by the day is of one day: where midnight in UTC is near, the test begins after it."""
    left = 86_400 - time.time() % 86_400
    if left < 60:
        time.sleep(left)


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with serve(ModelServer()) as server:
        yield server
        server.verify()


@pytest.fixture
def settings(model_server: ModelServer, tmp_path: Path) -> Settings:
    return Settings(
        model="compatible:scripted",
        base_url=model_server.url,
        data_dir=tmp_path / "data",
        approvals={"*": "never"},
    )
