"""Which passage a sentence rests on, told by the words they share.

A small model often copies the sentence of one passage and names another one as its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.state import Source

# A sentence that holds most of its words from a passage is a copy of it, in part or in other order.
COPIED = 0.8
# Another passage must fit so much better than the named one to take its place.
CLEARLY = 0.15

_WORD = re.compile(r"\w+(?:[.,:]\d+)*")


def attributed(sentence: str, named: int | None, sources: Mapping[int, Source]) -> int | None:
    """Return the number of the passage that a sentence rests on.

    Args:
        sentence: the sentence.
        named: number of the passage that its writer named, if any.
        sources: the passages it may rest on, by number.

    Returns:
        The named number, unless another passage holds clearly more of the sentence's words.
    """
    words = _words(sentence)
    if not words:
        return named
    shares = {number: len(words & _words(source["text"])) / len(words) for number, source in sources.items()}
    best = max(shares, key=lambda number: (shares[number], number == named), default=None)
    if best is None or shares[best] < COPIED:
        return named
    return best if shares[best] >= shares.get(named or 0, 0.0) + CLEARLY else named


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}
