"""The container files are sound, as far as that shows without a container engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_dockerfile_passes_hadolint():
    subprocess.run([Path(sys.executable).with_name("hadolint"), "Dockerfile"], cwd=ROOT, check=True)


@pytest.mark.skipif(shutil.which("npx") is None, reason="npm is not installed")
def test_the_compose_file_passes_dclint():
    subprocess.run(["npx", "--yes", "dclint@3.1.0", "--max-warnings", "0", "compose.yaml"], cwd=ROOT, check=True)


def test_what_the_image_copies_is_all_that_the_package_is_built_from():
    copied = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in - copied <= {"uv.lock", "LICENSE"}
    assert {"agent", "graphs", "tools", "service", "examples"} <= copied


def test_aegra_is_told_the_same_as_the_langgraph_server():
    langgraph = json.loads((ROOT / "langgraph.json").read_text())
    aegra = json.loads((ROOT / "aegra.json").read_text())
    for graph in aegra["graphs"].values():
        graph["path"] = graph["path"].removeprefix("./").replace("/", ".").replace(".py:", ":")
    # It has a checkpointer of its own, reads no .env and has no Studio.
    kept = {name: langgraph[name] for name in ("dependencies", "graphs", "http", "auth")}
    assert aegra.pop("auth")["path"] == kept.pop("auth")["path"].replace("langgraph_auth", "aegra_auth")
    assert aegra == kept
