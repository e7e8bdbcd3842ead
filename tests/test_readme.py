"""What the README shows is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.model_server import Reply

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)

REPLIES = [
    [Reply(calls=[("calculator", {"expression": "19.90 * 3"}), ("reply", {"text": "It is ${1}."})])],
    [Reply(calls=[("stock", {"sku": "TENT-2"})]), "Yes, 14 pieces."],
]
PRINTED = ["It is 59.7.", "stock {'sku': 'TENT-2'} finished\nYes, 14 pieces. None"]


@pytest.mark.parametrize("number", range(len(REPLIES)))
def test_a_snippet_runs_and_prints(number, model_server, monkeypatch, capsys):
    assert len(SNIPPETS) == len(REPLIES)
    monkeypatch.setenv("SELFHELP_MODEL", "compatible:scripted")
    monkeypatch.setenv("SELFHELP_BASE_URL", model_server.url)
    model_server.will(*REPLIES[number])
    exec(compile(SNIPPETS[number], "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip() == PRINTED[number]


def test_the_two_commands_of_the_first_screen_are_there():
    first_screen = "\n".join(README.splitlines()[:20])
    for command in ("demo", "pytest"):
        assert re.search(rf"pip install uv && uv run --group local (selfhelp )?{command}\n", first_screen)
