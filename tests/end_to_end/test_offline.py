"""The server without a key and without a network."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.processes import REPOSITORY

ISOLATED = ["unshare", "--map-root-user", "--net"]


def can_isolate():
    try:
        return subprocess.run([*ISOLATED, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.timeout(600)
@pytest.mark.skipif(not can_isolate(), reason="needs Linux's unshare, to take the network away")
def test_without_key_and_network_it_starts_answers_and_looks_for_no_other_host(tmp_path):
    command = [*ISOLATED, sys.executable, "-m", "tests.end_to_end.turn_without_network", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == {"answer": "Sixty days [1].", "complaints": [], "attempts": 0, "after_one": 1}
