"""Descriptions cut to what a model needs of them."""

from __future__ import annotations

import re

from agent.untrusted import quoted_line

_LONGEST_READ = 4000
_MARKUP = re.compile(
    r"<[a-zA-Z/!][^<>]{0,300}>|```.*?(?:```|\Z)|[`*]{1,3}|^[#>]+ |\[![A-Z]+\]", re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()]{0,500}\)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")


def brief(text: object, limit: int) -> str:
    """Return the first sentences of a text in one line, or its beginning if the first is longer.

    Args:
        text: the text of a document, with Markdown and HTML. What is no text gives none.
        limit: the most characters.
    """
    if not isinstance(text, str) or not limit:
        return ""
    plain = _MARKUP.sub("", _LINK.sub(r"\1", text[:_LONGEST_READ]))
    kept = ""
    for sentence in _SENTENCE.split(" ".join(quoted_line(plain).split())):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > limit:
            return kept or _cut(longer, limit)
        kept = longer
    return kept


def _cut(text: str, limit: int) -> str:
    return text[: limit - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
