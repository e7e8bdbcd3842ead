"""What docs/openai-api.md shows is run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess

from tests.support.dev_server import REPOSITORY
from tests.support.model_server import Reply

PAGE = (REPOSITORY / "docs" / "openai-api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000/v1"
SEARCH = Reply(calls=[("search", {"query": "boots returned"})])
ANSWER = "Within 60 days [1]."


def snippets(language, service):
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return "\n".join(found).replace(ADDRESS, service.url)


def test_python_as_shown(service, model, capsys):
    model.will(SEARCH, ANSWER, SEARCH, ANSWER, "Nothing.")
    exec(compile(snippets("python", service), "openai-api.md", "exec"), {"__name__": "docs"})
    printed = capsys.readouterr().out
    assert "['selfhelp', " in printed
    assert f"{ANSWER}\n\nSources:\n\n- [1] Returns (returns.md, lines 1–3)\n" in printed
    assert printed.endswith("Nothing.\n")


def test_javascript_as_shown(node_modules, service, model, tmp_path):
    model.will(SEARCH, ANSWER)
    (tmp_path / "shown.cjs").write_text(snippets("javascript", service))
    shown = subprocess.run(
        ["node", "shown.cjs"],
        env={**os.environ, "NODE_PATH": str(node_modules)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.stdout.startswith(ANSWER)
