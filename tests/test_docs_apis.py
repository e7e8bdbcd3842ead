"""The worked example of docs/apis.md is run as it stands there; a scripted model takes ChatGPT's place."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.shop.ledger import effects
from tests.support.model_server import Reply

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "apis.md").read_text(encoding="utf-8")
TOML = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
COMMANDS = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)[0].splitlines()
PORT = "8042"


@pytest.fixture
def port():
    """A free port, in place of the page's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def shell(model_server, tmp_path, port):
    """Run a line of the page where its files are, with the programs of this environment."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "SELFHELP_MODEL": "compatible:scripted",
        "SELFHELP_BASE_URL": model_server.url,
        "SELFHELP_KNOWLEDGE__EMBEDDER": "none",
        "COLUMNS": "200",
    }

    def start(line, **more):
        words = shlex.split(line.partition("#")[0].removesuffix("&\n").rstrip(" &").replace(PORT, port))
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            more = {name: value, **more}
        assert words[:2] == ["uv", "run"], line
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(words[2:], cwd=tmp_path, env=environment | more, **pipes)

    return start


@pytest.fixture
def backend(shell, port):
    [line] = [line for line in COMMANDS if line.endswith("&")]
    process = shell(line)
    for _ in range(600):
        assert process.poll() is None, process.stdout.read()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                break
        time.sleep(0.05)
    yield
    process.kill()
    process.communicate()


def finished(process, stdin=""):
    said, _ = process.communicate(stdin, timeout=100)
    return process.returncode, said


def test_the_refund_of_the_page_is_approved_on_the_command_line_and_made_once(
    shell, backend, model_server, tmp_path, port
):
    (tmp_path / "selfhelp.toml").write_text(TOML.replace(PORT, port))
    [export] = [line for line in COMMANDS if line.startswith("export ")]
    name, _, value = export.removeprefix("export ").partition("=")
    check, ask = (line for line in COMMANDS if "selfhelp" in line)

    code, said = finished(shell(check, **{name: value}))
    assert code == 0, said
    assert re.search(r"write +createRefund +POST /refunds", said)

    model_server.will(
        Reply(
            calls=[
                ("createRefund", {"order_id": 1042, "amount": 88.9, "reason": "Asked for"}),
                ("getCustomer", {"customer_id": "${1.customer_id}"}),
            ]
        ),
        Reply(
            text="Refunded; 113.90 EUR are on the account.",
            check=lambda body: str(body["messages"][-1]).index("113.9"),
        ),
    )
    code, said = finished(shell(ask, **{name: value}))
    assert (code, effects(tmp_path / "shop.sqlite")) == (1, [])
    assert f"POST http://127.0.0.1:{port}/refunds" in said
    assert value not in said.replace("Authorization", "")
    code, said = finished(shell("uv run selfhelp approve", **{name: value}), "a\n")
    assert code == 0, said
    assert "113.90 EUR" in said
    [effect] = effects(tmp_path / "shop.sqlite")
    assert effect.key
