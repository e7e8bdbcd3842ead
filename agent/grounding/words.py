"""Numbers in words: English ones of any size, small ones of other languages."""

from __future__ import annotations

import re

_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_ENGLISH.split())}
_SMALL |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
# From two on, without those that are other words as well.
_OTHERS = (
    "zwei drei vier fünf sechs sieben acht - zehn elf zwölf",
    "deux trois quatre cinq - sept huit neuf dix onze douze",
    "twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "due tre quattro cinque sei sette otto nove dieci undici dodici",
    "dos tres cuatro cinco seis siete ocho nueve diez - doce",
)
_FOREIGN = {word: value for words in _OTHERS for value, word in enumerate(words.split(), start=2) if word != "-"}
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
ORDINALS = {word: value for value, word in enumerate(_ORDINALS.split(), start=3)}

_ONE = "|".join(sorted((*_SMALL, *_SCALES), key=len, reverse=True))
_MOST = 10  # words of one number

WORDS = (
    rf"(?P<words>(?i:a hundred|a thousand|a dozen|half an|(?:{_ONE})\b(?:[ -](?:and )?(?:{_ONE})\b){{0,{_MOST}}}"
    rf"|(?:{'|'.join(_FOREIGN)})\b))"
    rf"|(?P<ordinal>(?i:{'|'.join(ORDINALS)})\b)"
)
_PART = re.compile(r"[^\W\d_]+")


def value(words: str) -> float:
    """Return what a number in words comes to: "two hundred and fifty" is 250."""
    parts = _PART.findall(words.casefold())
    if parts == ["a", "dozen"]:
        return 12
    if parts[0] == "half":
        return 0.5
    if parts[0] in _FOREIGN:
        return _FOREIGN[parts[0]]
    total = group = 0
    for part in parts:
        if part in _SMALL:
            group += _SMALL[part]
        elif part == "hundred":
            group = (group or 1) * 100
        elif part in _SCALES:
            total += (group or 1) * _SCALES[part]
            group = 0
    return total + group
