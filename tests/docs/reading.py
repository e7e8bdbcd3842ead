"""README, CONTRIBUTING and docs/ as they are read: their fenced blocks and what stands in code."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(?:uv run )?(selfhelp [a-z][^`]*)`")


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a page that name their language: language and text."""
    return [(language, text) for _, language, text in _FENCE.findall(text_of(page))]


def inline_commands(page: str) -> list[str]:
    """Return the commands that stand within sentences."""
    return [re.sub(r"\s+", " ", command) for command in _INLINE.findall(text_of(page))]
