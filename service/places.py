"""Where a passage stands, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def place_of(passage: Mapping[str, Any]) -> str:
    """Return document and page or lines of a passage: "manual.pdf, page 2", "returns.md, lines 8–12".

    Args:
        passage: a passage or source, as a mapping.
    """
    if passage["page"]:
        return f"{passage['document']}, page {passage['page']}"
    first, last = passage["first_line"], passage["last_line"]
    if not first:
        return str(passage["document"])
    return f"{passage['document']}, " + (f"line {first}" if first == last else f"lines {first}–{last}")
