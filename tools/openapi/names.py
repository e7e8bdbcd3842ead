"""Names that models accept: legible, distinct, and the same each time."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 64
_DIGEST = 8
_OTHER = re.compile(r"[^a-zA-Z0-9_-]+")


@dataclass(frozen=True)
class Wanted:
    """What a thing would be called.

    Args:
        short: its name, if nothing else is called so.
        full: a longer name that tells it from others.
        key: what no other thing has.
    """

    short: str
    full: str
    key: str


def distinct(wanted: Sequence[Wanted]) -> list[str]:
    """Return a name for each, of letters, digits, "_" and "-", at most `LONGEST` long.

    Things that want the same name all get a longer one, so that names do not depend on the order.

    Args:
        wanted: what they would be called.
    """
    short = [legible(each.short) for each in wanted]
    full = [legible(each.full) for each in wanted]
    shorts = Counter(short)
    both = Counter([*short, *(name for name, first in zip(full, short, strict=True) if name != first)])
    names = [
        first if shorts[first] == 1 and _fits(first) else second if both[second] == 1 and _fits(second) else None
        for first, second in zip(short, full, strict=True)
    ]
    taken = {name for name in names if name}
    return [name or _marked(each, taken) for name, each in zip(names, wanted, strict=True)]


def _fits(name: str) -> bool:
    return 0 < len(name) <= LONGEST


def legible(name: str) -> str:
    """Return a name with "_" for what models do not accept."""
    return _OTHER.sub("_", name).strip("_")


def _marked(wanted: Wanted, taken: set[str]) -> str:
    key = wanted.key
    while True:
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
        name = f"{legible(wanted.full)[: LONGEST - _DIGEST - 1] or 'x'}_{digest}"
        if name not in taken:
            taken.add(name)
            return name
        key += "'"
