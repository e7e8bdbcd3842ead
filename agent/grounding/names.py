"""Names in a text: addresses, telephone numbers, codes, and proper names as English writes them.

What is a proper name cannot be told for certain without a model. The rule: a capitalised word within a sentence, or one
with capitals after its first letter anywhere, whose word stands nowhere in what was given. Other languages write other
words with capitals, so an answer that does not read as English is held to addresses, numbers and codes only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from agent.grounding import units
from agent.grounding.language import FUNCTION_WORDS, stem

_PATH = r"[^\s<>\"'()\[\]|]"
_EMAIL = r"(?P<email>[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,6})"
_URL = (
    rf"(?P<url>(?:https?://|www\.){_PATH}{{1,500}}"
    rf"|\b[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}}){{0,4}}\.[a-z]{{2,12}}/{_PATH}{{0,500}})"
)
_PHONE = (
    r"(?P<phone>(?<![\w.,-])(?![0-9]{2}-[0-9]{2}-[12][0-9]{3}(?![\w-]))(?:\+|0|\(0|1-(?=[0-9]{3}-))"
    r"[0-9](?:[ \u00a0()-]{0,2}[0-9]){5,18}(?![\w.,:-]{0,20}[0-9])"
    r"|(?<![\w-])\(?[0-9]{3}\)?[ -][0-9]{3}-[0-9]{4}(?![\w-]))"
)
_CODE = r"(?P<code>(?<![\w.,/-])(?=[A-Za-z0-9])[A-Za-z0-9]{1,40}(?:[-_/]{1,2}[A-Za-z0-9]{1,40}){0,8}(?![\w]))"
# Of a plan, where a small model writes it into the answer: it stands for nothing there.
_REFERENCE = r"(?P<reference>\$\{[1-9][0-9]{0,3}(?:[.\[][^\s{}$]{1,100})?\})"
_MARK = re.compile(rf"{_REFERENCE}|{_URL}|{_EMAIL}|{_PHONE}|{_CODE}")
# Numbers with something behind or before them that make no code.
_NO_CODE = re.compile(
    r"[0-9]+(?:st|nd|rd|th|x|k|am|pm|s|er)|[0-9]+(?:x[0-9]+)+[a-z]{0,2}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]+|[0-9T]+"
    r"|[0-9]+(?:-[a-zäöü]{2,}){1,3}|[0-9]+h[0-9]*|[A-Z]{3}[0-9]+|[0-9/-]+|v[0-9]+|[0-9]{2}Z"
)
_NUMBER_AND_UNIT = re.compile(r"[0-9]+-?(?P<unit>[^\W\d_]+2?)")
_WORD = re.compile(
    r"(?P<boundary>[:|“„\"(–—]\s*)?(?P<word>[^\W\d_]++(?:['’.&-][^\W\d_]++)*+)(?!\$)"
    r"(?P<number>[ \u00a0][0-9]{1,6}(?![\w.,:%€/-]{0,20}[0-9%€]))?"
)
_PART = re.compile(r"[^\W\d_]+")
_NUMBERED = re.compile(r"(?<![^\W\d_])([^\W\d_]{1,30})[ \u00a0-]([0-9]{1,6})(?![\w.,:%-]{0,20}[0-9%])")

_COMMON = frozenset(
    """i ok monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun january february
    march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov
    dec mr mrs ms dr prof pdf faq url id qr pin sms tv pc usb gps http https html json sql csv api am pm eu iso utc asap
    ps nb etc mio mrd note yes no version order step ll ve re""".split()  # noqa: SIM905
) | frozenset(code.casefold() for code in units.CURRENCIES)


@dataclass(frozen=True)
class Mark:
    """An address, a telephone number, a code or a reference to a result.

    Args:
        kind: which of them: url, email, phone, code or reference.
        start: offset of its first character.
        end: offset behind its last.
        text: what stands there.
    """

    kind: str
    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        """What it is compared by."""
        if self.kind == "phone":
            return "".join(filter(str.isdigit, self.text))
        return squeezed(self.text) if self.kind == "code" else self.text.casefold()


@dataclass(frozen=True)
class Name:
    """A proper name.

    Args:
        text: as it stands in the answer.
        words: its words that must be known, without case.
        number: the number behind it, where it has one: "IC 2043".
    """

    text: str
    words: tuple[str, ...]
    number: str = ""


def marks(text: str) -> list[Mark]:
    """Return the addresses, telephone numbers, codes and references of a text."""
    return [
        Mark(str(found.lastgroup), found.start(), found.start() + len(shown), shown)
        for found in _MARK.finditer(text)
        if (shown := found[0].rstrip(".,;:!?")) and (found.lastgroup != "code" or _is_code(shown))
    ]


def masked(text: str, found: list[Mark]) -> str:
    """Return a text with its marks blotted out, so that nobody takes a number or a name from them."""
    pieces, position = [], 0
    for mark in found:
        pieces += [text[position : mark.start], "·" * (mark.end - mark.start)]
        position = mark.end
    return "".join((*pieces, text[position:]))


def squeezed(text: str) -> str:
    """Return the letters and digits of a text, without case."""
    return "".join(filter(str.isalnum, text.casefold()))


def words(text: str) -> set[str]:
    """Return the words of a text, without case and endings."""
    return {stem(word) for word in _PART.findall(text)}


def numbered(text: str) -> dict[str, set[str]]:
    """Return the numbers that stand right behind words, by word: "Heron 2" is heron and 2."""
    found: dict[str, set[str]] = {}
    for word, number in _NUMBERED.findall(text):
        found.setdefault(stem(word), set()).add(number)
    return found


def names(sentence: str) -> Iterator[Name]:
    """Yield the proper names of an English sentence.

    Args:
        sentence: the sentence, with its marks masked.
    """
    run: list[re.Match[str]] = []
    shouted = sentence.upper() == sentence
    first = True
    for found in _WORD.finditer(sentence):
        word = found["word"]
        opens = first or found["boundary"] is not None
        first = False
        between = sentence[run[-1].end() : found.start()] if run else ""
        capital = word[0].isupper() or _capitals_within(word)
        if run and (not capital or between.strip() or run[-1]["number"] or found["boundary"]):
            yield from _named(run)
            run = []
        if not capital or (word.isupper() and shouted and len(word) > 1):
            continue
        if opens and not _stands_out(word) and (word.casefold() in FUNCTION_WORDS or not _followed(sentence, found)):
            continue
        run.append(found)
    yield from _named(run)


def _named(run: list[re.Match[str]]) -> Iterator[Name]:
    if not run:
        return
    number = (run[-1]["number"] or "").strip()
    words = [word for found in run for word in _PART.findall(found["word"]) if not _is_unit(word)]
    wanted = tuple(stem(word) for word in words if word.casefold() not in _COMMON and len(word) > 1)
    text = " ".join(found["word"] for found in run)
    if wanted:
        yield Name(f"{text} {number}".strip(), wanted, number)


def _followed(sentence: str, found: re.Match[str]) -> bool:
    """Whether a capitalised word follows: then the first word of a sentence may belong to a name."""
    following = _WORD.match(sentence, found.end() + 1)
    return bool(
        not found["number"]
        and following
        and sentence[found.end()].isspace()
        and following["word"][0].isupper()
        and following["word"] != "I"
        and not following["boundary"]
    )


def _stands_out(word: str) -> bool:
    return (word.isupper() and len(word) > 1) or _capitals_within(word)


def _is_unit(word: str) -> bool:
    """Whether a word can only be a unit: kW and GB are one, Foot and Day may begin a name."""
    return _stands_out(word) and units.known(word)


def _capitals_within(word: str) -> bool:
    return any(before.islower() and letter.isupper() for before, letter in pairwise(word))


def _is_code(text: str) -> bool:
    letters, digits = any(map(str.isalpha, text)), any(map(str.isdigit, text))
    if not letters or not (digits or "_" in text) or _NO_CODE.fullmatch(text):
        return False
    measured = _NUMBER_AND_UNIT.fullmatch(text)
    return not (measured and units.known(measured["unit"]))
