"""Plain text, in which an underlined line is a heading."""

from __future__ import annotations

import re
from itertools import pairwise

from agent.knowledge.chunks import LONGEST_HEADING, Heading, Outline, first_line, line_starts, shortened

_UNDERLINE = re.compile(r"([=\-~^*+#])\1{2,}")
_LIST_ITEM = re.compile(r"(?:[-*+•]|\d+[.)])\s")


def outline(document: str) -> Outline:
    """Return a plain text's structure."""
    starts = line_starts(document)
    lines = [document[start:end].strip() for start, end in pairwise(starts)]
    headings = [Heading(0, 0, 0, "")]
    blocks, parts = [], []
    levels: dict[str, int] = {}
    for number, (before, line, below) in enumerate(zip(["", *lines], lines, [*lines[1:], ""], strict=False)):
        if _is_heading(before, line, below):
            level = levels.setdefault(below[0], len(levels) + 1)
            overlined = bool(before)
            headings.append(Heading(starts[number - overlined], starts[number + 2], level, shortened(line)))
        elif line and not before:
            blocks.append(starts[number])
        elif _LIST_ITEM.match(line):
            parts.append(starts[number])
    titles = [*(heading.text for heading in headings), first_line(document)]
    return Outline(next(filter(None, titles), ""), headings, [blocks, parts])


def _is_heading(before: str, line: str, below: str) -> bool:
    """Whether a line of plain text is underlined as a heading is; the same line may stand above it."""
    if not _UNDERLINE.fullmatch(below) or _UNDERLINE.fullmatch(line):
        return False
    return 0 < len(line) <= LONGEST_HEADING and before in {"", below}
