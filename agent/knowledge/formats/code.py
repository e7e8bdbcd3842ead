"""Source code and settings: definitions are headings, and cuts fall between lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from agent.knowledge.chunks import Heading, Outline, line_starts, shortened

_MODIFIERS = (
    r"export|default|public|private|protected|internal|static|final|abstract|async|sealed|open|override|inline|data"
    r"|partial|unsafe|extern|const|virtual|case|local|declare|pub(?:\([\w: ]+\))?"
)
_HOLDERS = r"class|interface|trait|impl|module|namespace|object|protocol|extension|service|mod|defmodule"
_OTHERS = (
    r"def|defp|function|func|fn|fun|sub|struct|enum|union|record|message|type"
    r"|(?i:create[ ]+(?:or[ ]+replace[ ]+)?(?:table|view|function|procedure)(?:[ ]+if[ ]+not[ ]+exists)?)"
)
# "class Order(Base):", "export async function load() {", "func (s *Server) Start() error {", "type" in prose not.
_DEFINITION = re.compile(
    rf"\s*(?P<what>(?:(?:{_MODIFIERS})[ \t]+)*(?:(?P<holder>{_HOLDERS})|{_OTHERS})\b(?:[ ]*\([^)]*\))?(?:<[^>]*>)?"
    r"[ \t]+[\w$.:*]*\w)[!?]?\s*(?:[(<{:=;\[]|$|(?:extends|implements|for|do|is|as|where|returns|struct|enum|func)\b)"
)
_FUNCTION_VALUE = re.compile(
    r"\s*(?P<what>(?P<holder>(?!))?(?:export[ \t]+)?(?:const|let|var)[ \t]+[\w$]++)[^=]*+=[ ]*(?:async\b)?[ ]*"
    r"(?:function\b|\([^)]*\)[^=]*=>|\w+[ ]*=>)"
)
_ABOVE = ("@", "#", "//", "/*", "*", "--", ";")
_CLOSING = (")", "]", "}", "end")


def outline(document: str) -> Outline:
    """Return the structure of source code, of whatever language."""
    starts = line_starts(document)
    lines = [document[start:end] for start, end in pairwise(starts)]
    headings = [Heading(0, 0, 0, "")]
    blocks: list[int] = []
    parts: list[int] = []
    path: list[tuple[int, bool]] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        after_gap = not number or not lines[number - 1].strip()
        if definition := _DEFINITION.match(line) or _FUNCTION_VALUE.match(line):
            path = [above for above in path if above[0] < indent]
            if all(holds for _, holds in path):
                start = starts[_opening(lines, number)]
                headings.append(Heading(start, starts[number + 1], indent + 1, shortened(definition["what"])))
            path.append((indent, bool(definition["holder"])))
        elif path and after_gap and not indent and not line.startswith(_CLOSING):
            path = []
            headings.append(Heading(starts[number], starts[number], 1, ""))
        if after_gap:
            (parts if indent else blocks).append(starts[number])
    return Outline("", headings, [blocks, parts, starts])


def _opening(lines: Sequence[str], number: int) -> int:
    """Return the number of the first of the comments and decorators that stand above a line."""
    while number and lines[number - 1].lstrip().startswith(_ABOVE):
        number -= 1
    return number
