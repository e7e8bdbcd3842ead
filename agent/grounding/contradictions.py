"""Passages that contradict each other: the same is said of the same, with another number of the same unit.

Only what can hardly be meant otherwise counts. Two statements are of the same when every word of each that carries
meaning stands in the other one too, or in the headings above it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.grounding import names, units
from agent.grounding.language import FUNCTION_WORDS, stem
from agent.grounding.numbers import Number, numbers
from agent.grounding.sentences import sentences
from agent.state import Source

# More statements than that are not held against each other: it takes the square of their number.
MOST_STATEMENTS = 300
LONGEST_PASSAGE = 4000
_FEWEST_SHARED = 2

_CLAUSE = re.compile(
    r"[;,:](?=\s)|\s[–—-]\s|\b(?:but|although)\b|\band (?=(?:[a-z]+ )?(?:is|are|costs?|takes?|can|must|has|have)\b)"
)
_CELL = re.compile(r"\s*\|\s*")
_WORD = re.compile(r"[^\W\d_]{2,}|\b[B-Z]\b|\bA\b(?! [a-z])|[0-9]+")
# They say nothing of what a sentence is about. What limits it, such as "not", "least" or "up to", stays.
_IDLE = FUNCTION_WORDS - {"no", "not", "per", "each", "when", "if", "from", "up"} | frozenset(
    """item product article thing customer accept give offer take get cost have receive need say possible allow include
    apply amount total usually about around approximately within last valid until there here new current
    currently""".split()  # noqa: SIM905
)
# What kind of text a document is tells nothing of its subject either.
_KINDS = frozenset(
    """manual data sheet leaflet brochure flyer list note policy handbook rule guide page notice document version old
    updated contract term price welcome changelog faq question answer information general""".split()  # noqa: SIM905
)
_ENDINGS = ("ing", "ed", "es")
# Parts of names that tell versions of a document apart, not what it is about.
_YEAR = re.compile(r"\b(?:19|20)[0-9]{2}\b")


@dataclass(frozen=True)
class Contradiction:
    """Two passages that differ.

    Args:
        first: number of the one passage.
        second: number of the other.
        said: what the first says.
        otherwise: what the second says.
    """

    first: int
    second: int
    said: str
    otherwise: str


@dataclass(frozen=True)
class _Statement:
    source: Source
    words: frozenset[str]
    above: frozenset[str]
    measure: str
    values: tuple[object, ...]
    text: str
    prose: bool

    def differs(self, other: _Statement) -> bool:
        if self.measure != other.measure or len(self.values) != len(other.values) or self.values == other.values:
            return False
        if self.source["document"] == other.source["document"] and self.source["uri"] == other.source["uri"]:
            return False
        if not (self.words <= other.words | other.above and other.words <= self.words | self.above):
            return False
        return len((self.words | self.above) & (other.words | other.above)) >= _FEWEST_SHARED and self._alike(other)

    def _alike(self, other: _Statement) -> bool:
        """Whether the headings leave it open that the statements are of the same."""
        ours, theirs = self.above - other.above - other.words, other.above - self.above - self.words
        if not ours or not theirs:
            return True
        heading = _meaning(self.source["heading"])
        topic = heading if heading == _meaning(other.source["heading"]) else set()
        # "E-bike City" and "E-bike Trail" are two things; "Delivery" and "Price list" two documents.
        siblings = bool(self.above & other.above - self.words - topic)
        full = (self.prose and other.prose) or len(self.words & other.words) > _FEWEST_SHARED
        if siblings or not full or any(map(str.isdigit, ours | theirs)):
            return False
        # A sentence that names no heading above it leaves it to them to say what it is about.
        return bool(topic or self.above & self.words or other.above & other.words)


def contradictions(sources: Iterable[Source]) -> list[Contradiction]:
    """Return which passages contradict each other, each pair once, at the first place where they do.

    Args:
        sources: the passages.
    """
    statements = [statement for source in sources for statement in _statements(source)][:MOST_STATEMENTS]
    found: dict[tuple[int, int], Contradiction] = {}
    for one, other in combinations(statements, 2):
        pair = one.source["number"], other.source["number"]
        if pair not in found and one.differs(other):
            found[pair] = Contradiction(*pair, one.text, other.text)
    return list(found.values())


def _statements(source: Source) -> Iterator[_Statement]:
    above = _meaning(_YEAR.sub("", f"{source['title']} {source['heading']}")) - _KINDS
    columns: Sequence[str] = ()
    for sentence in sentences(source["text"][:LONGEST_PASSAGE]):
        if sentence.text.startswith("|"):
            cells = _CELL.split(sentence.text.strip("| "))
            if not columns:
                columns = cells
                continue
            for column, cell in zip(columns[1:], cells[1:], strict=False):
                yield from _read(f"{cells[0]}: {cell}", f"{cells[0]} {column}", source, above | _meaning(column))
            continue
        columns = ()
        if not sentence.heading:
            for clause in _clauses(sentence.text):
                yield from _read(clause, clause, source, above)


def _clauses(sentence: str) -> Iterator[str]:
    """Yield the clauses of a sentence. A short one before a colon names what comes behind it."""
    start = 0
    for end in _CLAUSE.finditer(sentence):
        clause = sentence[start : end.start()]
        if end[0] == ":":
            continue
        yield clause
        start = end.end()
    yield sentence[start:]


def _read(clause: str, subject: str, source: Source, above: Collection[str]) -> Iterator[_Statement]:
    """Yield what a clause states with numbers of one unit; a clause with several units states nothing that is clear."""
    found = [number for number in numbers(names.masked(clause, names.marks(clause))) if number.gives and number.needs]
    measures = {_measure(number) for number in found}
    if len(measures) != 1 or not (measure := measures.pop()):
        return
    values = tuple(_value(number, measure) for number in found)
    text = " to ".join(number.text for number in found) if len(found) <= 2 else clause.strip()  # noqa: PLR2004
    words = _meaning(_without(subject, [number.text for number in found]))
    yield _Statement(source, frozenset(words), frozenset(above), measure, values, text, ": " not in clause)


def _measure(number: Number) -> str:
    """Return what a number measures or counts; "" where that is not clear."""
    measures = {name for name, _ in number.gives} - {"number", "bare", "counted", "month", "day", "day of any year"}
    if units.WORKING_DAY in measures:
        return units.WORKING_DAY
    return measures.pop() if len(measures) == 1 else number.counts


def _value(number: Number, measure: str) -> object:
    if number.value is None:
        return frozenset(value for name, value in number.gives if name == measure)
    return dict(units.measured(number.value, number.unit))[measure] if number.unit else number.value


def _without(text: str, parts: Iterable[str]) -> str:
    for part in parts:
        text = text.replace(part, " ")
    return text


def _meaning(text: str) -> set[str]:
    found = {
        _root(word) if len(word) > 1 else word
        for word in _WORD.findall(text)
        if len(word) == 1 or word.casefold() not in _IDLE
    }
    return {word for word in found if word not in _IDLE}


def _root(word: str) -> str:
    word = stem(word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word.removesuffix(ending)
    return word
