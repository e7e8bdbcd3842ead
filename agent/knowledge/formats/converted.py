"""What a document of a format that is no text becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Converted:
    """A document as Markdown.

    Args:
        title: its title, "" where it gives itself none.
        pages: the text of each page; one where the document has no pages.
    """

    title: str
    pages: Sequence[str]
