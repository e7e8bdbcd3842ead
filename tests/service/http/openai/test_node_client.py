"""The official client for Node works as it is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.model_server import Reply

SEARCH = Reply(calls=[("search", {"query": "boots returned"})])


def test_answers_streams_models_and_errors(node_modules, service, model):
    model.will(SEARCH, "Within 60 days [1].", SEARCH, "Within 60 days [1].")
    script = Path(__file__).with_name("client.cjs")
    done = subprocess.run(
        ["node", str(script), service.url],
        env={**os.environ, "NODE_PATH": str(node_modules)},
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["models"][0] == "selfhelp"
    assert seen["whole"]["content"] == seen["streamed"]
    assert seen["streamed"].startswith("Within 60 days [1].")
    assert seen["whole"]["annotations"][0]["url_citation"]["title"] == "Returns"
    assert seen["usage"][0] == seen["usage"][1] > 0
    assert seen["reason"] == "stop"
    assert seen["error"] == [True, "model_not_found"]
