"""What processes of the tests have in common: an environment without the developer's own, a port, and an answer."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).parents[2]
SELFHELP = str(Path(sys.executable).with_name("selfhelp"))
# Tools that tests give to servers in other processes.
TOOLS = "tests.end_to_end.tools_of_tests:tools"

_OTHERS = ("SELFHELP_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "LANGGRAPH_")
_CACHE = "SELFHELP_CACHE_DIR"


def environment() -> dict[str, str]:
    """Return the environment without keys and settings of the developer's, but for the cache of what was fetched."""
    return {name: value for name, value in os.environ.items() if name == _CACHE or not name.startswith(_OTHERS)}


def free_port() -> int:
    """Return a port on loopback that nobody else is given before a server listens on it.

    The system hands a port out to no one for a minute after a connection to it was closed, and lets servers have it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listening.accept()[0].close()
        return port


def answers(url: str) -> bool:
    """Whether a server answers, and well."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for something that another process does, and fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
