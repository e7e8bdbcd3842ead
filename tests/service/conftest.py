from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SELFHELP = str(Path(sys.executable).with_name("selfhelp"))


@pytest.fixture
def environment(model_server, tmp_path):
    return {
        **os.environ,
        "SELFHELP_MODEL": "compatible:scripted",
        "SELFHELP_BASE_URL": model_server.url,
        "SELFHELP_KNOWLEDGE__EMBEDDER": "none",
        "COLUMNS": "200",
    }


@pytest.fixture
def run(environment, tmp_path):
    def selfhelp(*arguments, stdin="", **more):
        return subprocess.run(
            [SELFHELP, *arguments],
            check=False,
            input=stdin,
            env=environment | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return selfhelp
