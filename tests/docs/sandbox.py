"""What a newcomer has: a checkout, a shell, and the project's programs on the PATH."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

from tests.docs.reading import REPOSITORY
from tests.support.processes import free_port

COPIED = "docs"  # pages write into it
# Not whatever lies in the checkout: pages write a selfhelp.toml, and a developer may have one.
LINKED = (
    *(".env.example", ".pre-commit-config.yaml", "langgraph.json", "pyproject.toml"),
    *("agent", "benchmarks", "examples", "graphs", "service", "tests", "tools"),
)
SERVERS = {"selfhelp serve": 8000, "langgraph dev": 2024}
SERVER = re.compile(
    rf"^((?:[A-Z_]+=\S+ )*(?:uv run )?(?:{'|'.join(SERVERS)})\b[^#\n]*|.*\S(?= &$))(?: &$)?", re.MULTILINE
)

UV = """#!/bin/bash
shift  # run
while [[ $1 == --group ]]; do shift 2; done
exec "$@"
"""
UNTIL_UP = """
until_up() {
    until (exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null; do
        kill -0 $! 2>/dev/null || { cat server.log; return 1; }
        sleep 0.05
    done
}
"""


@dataclass
class Sandbox:
    """A checkout in a folder of its own, and a shell in it.

    Args:
        folder: the checkout.
        environment: variables of the shell. What a script exports stays.
        instead: what is typed in place of a page's words, such as another port.
    """

    folder: Path
    environment: dict[str, str]
    instead: dict[str, str] = field(default_factory=dict)
    _groups: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        shutil.copytree(REPOSITORY / COPIED, self.folder / COPIED)
        for name in LINKED:
            (self.folder / name).symlink_to(REPOSITORY / name)

    def own_ports(self, text: str) -> None:
        """Have free ports typed in place of those in a text, so that nothing else on this machine is met."""
        for port in re.findall(r"(?:127\.0\.0\.1:|--port |^)(\d{4})\b", text):
            self.instead.setdefault(port, str(free_port()))

    def typed(self, text: str) -> str:
        """Return the words of a page as they are typed here."""
        for theirs, ours in self.instead.items():
            text = _replaced(text, theirs, ours)
        return text

    def shown(self, text: str) -> str:
        """Return what was printed here in the words of a page."""
        for theirs, ours in reversed(self.instead.items()):
            text = _replaced(text, ours, theirs)
        return text.replace(str(self.folder), ".")

    def run(self, script: str) -> str:
        """Run a script and return what it prints; a server in it goes on until the end, and is waited for."""
        script = SERVER.sub(self._served, script)
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", f"{UNTIL_UP}\n{self.typed(script)}\nenv -0 > .exported"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self._groups.append(shell.pid)
        printed, complaints = shell.communicate(timeout=250)
        assert shell.returncode == 0, f"{script}\n{printed}\n{complaints}"
        exported = (self.folder / ".exported").read_text().split("\0")
        self.environment = dict(line.split("=", 1) for line in exported if line)
        return self.shown(printed)

    def end(self) -> None:
        """End the servers."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        log = self.folder / "server.log"
        assert not log.exists() or not re.search("Traceback|BlockingError", log.read_text()), log.read_text()

    def _served(self, found: re.Match[str]) -> str:
        command = found[1].rstrip()
        named = re.search(r"\b\d{4}\b", command)
        port = named[0] if named else next(str(port) for name, port in SERVERS.items() if name in command)
        self.own_ports(port)
        if not named:
            command += f" --port {port}"
        if "langgraph dev" in command:
            command += " --no-browser --no-reload"
        return f"{command} >> server.log 2>&1 & until_up {port} "


def _replaced(text: str, words: str, others: str) -> str:
    """Replace words of a text, where a number is not the part of a longer one: ports hold each other's digits."""
    return re.sub(rf"(?<!\d){re.escape(words)}(?!\d)", lambda _: others, text)


@contextmanager
def programs(folder: Path) -> Iterator[Path]:
    """Put `selfhelp`, `python` and `uv` into a folder for as long as the context lasts."""
    (folder / "uv").write_text(UV)
    (folder / "uv").chmod(0o755)
    command = [sys.executable, str(REPOSITORY / "tests" / "support" / "fork_server.py"), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        yield folder


def environment(programs: Path, home: Path, model_url: str) -> dict[str, str]:
    """Return the variables of a newcomer's shell, where the scripted model takes ChatGPT's place.

    Args:
        programs: folder of the project's programs.
        home: the home directory.
        model_url: address of the scripted model.
    """
    return {
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
        "OPENAI_API_KEY": "sk-scripted",
        "OPENAI_BASE_URL": model_url,
        "SELFHELP_CACHE_DIR": os.environ.get("SELFHELP_CACHE_DIR", str(user_cache_path("selfhelp"))),
        "SELFHELP_KNOWLEDGE__EMBEDDER": "none",
    }
