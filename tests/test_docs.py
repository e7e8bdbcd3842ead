"""What docs/ shows is run as it stands there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.support.documents import write

KNOWLEDGE = (Path(__file__).parents[1] / "docs" / "knowledge.md").read_text(encoding="utf-8")


def test_the_knowledge_base_is_used_from_python_as_shown(tmp_path, capsys):
    write(tmp_path / "docs", {"warranty.md": "# Warranty\n\nThe warranty is five years long.\n"})
    [snippet] = re.findall(r"```python\n(.*?)```", KNOWLEDGE, flags=re.DOTALL)
    shown = {"__name__": "docs"}
    exec(compile(snippet, "knowledge.md", "exec"), shown)
    asyncio.run(shown["main"]())
    added, passage, found = capsys.readouterr().out.split("\n", 2)
    assert added == "1 added"
    assert f"{tmp_path}/docs/warranty.md 1 # Warranty" in passage
    assert found.strip().endswith("1 documents")
