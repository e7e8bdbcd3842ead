"""An answer as its reader takes it: sentence by sentence, each with the passages it cites, without code and marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.citations import NUMBERS
from agent.grounding import dates
from agent.grounding.language import reads_as_english
from agent.likely_code import LikelyCode

_CODE_SPAN = re.compile(r"(?<!`)(?P<run>`{1,3})(?!`)(?P<code>[^`\n]{1,300})(?P=run)(?!`)")
# A star between digits or between spaces multiplies.
_EMPHASIS = re.compile(r"(?<!\*)(?!(?<=[0-9])\*+[0-9]|(?<=\s)\*\s)\*+|(?<!\w)_{1,3}(?=\w)|(?<=\w)_{1,3}(?!\w)|`+|~~")
_HEADING = re.compile(r" {0,3}#{1,6} ")
# Marks of quotes and lists, and numbers of headings.
_OPENING = re.compile(r"[ \t]*(?:>[ \t]*){0,5}(?:#{1,6} (?:[0-9.]{1,8} )?|(?:[-+*•–]|[0-9]{1,3}[.)])(?:[ \t]+|\Z))?")
_RULE = re.compile(r"[\s|:=-]+")
_CITATION = re.compile(rf"[ \t]*\[[ \t]*({NUMBERS})[ \t]*\]")
_CITATIONS = rf"(?:[ \t]*\[[ \t]*{NUMBERS}[ \t]*\])*"
_END = re.compile(
    r"(?P<word>[^\W\d_]{0,8})(?P<ordinal>(?<=(?<![\w.,])[0-9])|(?<=(?<![\w.,])[0-9]{2}))?(?<![.!?…])[.!?…]++"
    rf"[\"”’)]*+{_CITATIONS}[ \t]+(?=[\"“„(]?(?P<next>[^\W_]|[€$]))"
    rf"|[。！？]++[」』”’）]*+{_CITATIONS}"  # noqa: RUF001 - full-width marks
)
_MONTH = re.compile(dates.MONTH)
_ABBREVIATIONS = frozenset("dr mr mrs ms prof st no nr e g i approx ca bzw z b m p a vs etc abs art fig".split())  # noqa: SIM905


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Args:
        text: what it says, without marks and citations.
        cited: numbers of the passages it cites.
        heading: whether it is a heading.
    """

    text: str
    cited: tuple[int, ...]
    heading: bool


def sentences(answer: str) -> Iterator[Sentence]:
    """Yield the sentences of an answer in Markdown; the row of a table is one too.

    Args:
        answer: the answer. Code in it is left out.
    """
    english = reads_as_english(answer)
    for line in _without_code(answer):
        if _RULE.fullmatch(line):
            continue
        heading = bool(_HEADING.match(line))
        said = _OPENING.sub("", line, count=1)
        for piece in _pieces(said, english=english):
            cited = [int(number) for found in _CITATION.findall(piece) for number in found.split(",")]
            text = _EMPHASIS.sub("", _CITATION.sub("", piece)).strip()
            if text or cited:
                yield Sentence(text, tuple(dict.fromkeys(cited)), heading)


def _without_code(answer: str) -> Iterator[str]:
    """Yield the lines of an answer that are no code, with what is left of the spans in them."""
    code = LikelyCode()
    for line in answer.splitlines():
        below = code.fenced
        code.pieces(f"{line}\n")
        if not (below or code.fenced):
            yield _CODE_SPAN.sub(_word_of_code, line)


def _word_of_code(span: re.Match[str]) -> str:
    """Return what stands in a span of code if it is one word, as a name or a setting is."""
    return "" if " " in span["code"] else _CITATION.sub("", span["code"])


def _pieces(line: str, *, english: bool) -> Iterator[str]:
    start = 0
    for end in _END.finditer(line):
        if not _goes_on(line, end, english=english):
            yield line[start : end.end()]
            start = end.end()
    yield line[start:]


def _goes_on(line: str, end: re.Match[str], *, english: bool) -> bool:
    """Whether the point is an abbreviation's or a number's: "am 3. Oktober", "der 2. Artikel"."""
    if end["next"] is None:
        return False
    if end["next"].islower():
        return True
    if end["ordinal"] is None or "[" in end[0]:
        return end["word"].casefold() in _ABBREVIATIONS
    return _MONTH.match(line, end.end()) is not None or (not english and line[end.end()].isalpha())
