"""What the checks know of words: English function words, and the endings of plurals."""

from __future__ import annotations

import re

FUNCTION_WORDS = frozenset(
    """the a an and or of to in on for with from by at is are was were be been can cannot could will would may must
    have has had do does did not no it its this that these those you your we our us i my they their there if when
    which who how what as but than then so only also all any each per up""".split()  # noqa: SIM905
)
_SHORTEST = 3
_ENGLISH = 0.15
_WORD = re.compile(r"[^\W\d_]+")


def stem(word: str) -> str:
    """Return a word without case, and without the ending of a plural or a genitive."""
    word = word.casefold().removesuffix("'s").removesuffix("’s")
    if word.endswith("ies") and len(word) > _SHORTEST + 1:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > _SHORTEST else word


def reads_as_english(text: str) -> bool:
    """Whether a text is English, as far as its commonest words tell."""
    found = _WORD.findall(text.casefold())
    share = sum(word in FUNCTION_WORDS for word in found) / max(1, len(found))
    return share >= _ENGLISH
