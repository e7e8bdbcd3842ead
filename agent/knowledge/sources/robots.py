"""What a site's robots.txt allows, as RFC 9309 has it.

Python's `urllib.robotparser` knows no wildcards and takes the first rule that fits instead of the longest: it reads
"Disallow: /*" as nothing, and so "Disallow: /private" below "Allow: /".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

AGENT = "selfhelp"
LARGEST = 500 * 2**10

_LINE = re.compile(r"\s*(user-agent|allow|disallow|crawl-delay)\s*:([^#]*)", re.IGNORECASE)


@dataclass
class Robots:
    """The rules for one agent. Without any, everything is allowed.

    Args:
        rules: patterns of paths, and whether they are allowed.
        delay: seconds to wait between two requests.
    """

    rules: list[tuple[str, bool]] = field(default_factory=list)
    delay: float = 0.0

    def allows(self, target: str) -> bool:
        """Tell whether a page may be read.

        Args:
            target: its path and query, `/search?q=tent`.
        """
        path = unquote(target)
        fitting = [(len(pattern), allowed) for pattern, allowed in self.rules if _fits(path, pattern)]
        return max(fitting)[1] if fitting else True


def parse_robots(text: str, agent: str = AGENT) -> Robots:
    """Read the rules that a robots.txt has for an agent: those that name it, or else those for all.

    Args:
        text: the file.
        agent: the agent's name.
    """
    groups: dict[str, Robots] = {}
    naming: list[str] = []
    last = ""
    for key, value in _fields(text):
        if key == "user-agent":
            name = value.lower().partition("/")[0]
            naming = [*(naming if last == key else []), name]
            groups.setdefault(name, Robots())
        for name in naming:
            _add(groups[name], key, value)
        last = key
    return groups.get(agent) or groups.get("*") or Robots()


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.removeprefix("\ufeff").splitlines():
        if match := _LINE.match(line):
            yield match[1].lower(), match[2].strip()


def _add(group: Robots, key: str, value: str) -> None:
    if key in ("allow", "disallow") and value:
        group.rules.append((unquote(value), key == "allow"))
    if key == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        group.delay = float(value)


def _fits(target: str, pattern: str) -> bool:
    """Compare piece by piece, as a regular expression of many wildcards may take for ever."""
    first, *pieces = pattern.removesuffix("$").split("*")
    if not target.startswith(first):
        return False
    place = len(first)
    for piece in pieces:
        found = target.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    if not pattern.endswith("$"):
        return True
    return place == len(target) or (bool(pieces) and target.endswith(pieces[-1]))
