"""OpenAI's official client for Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

NODE_CLIENT = "openai@7.57.0"


def openai_for_node() -> Path:
    """Return the folder of modules with the client in it, fetched once for this machine; skip where Node is not there."""
    if shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    folder = user_cache_path("selfhelp-tests") / NODE_CLIENT
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "node_modules" / "openai" / "package.json").exists():
            install = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), NODE_CLIENT]
            subprocess.run(install, check=True, capture_output=True, timeout=110)
    return folder / "node_modules"
