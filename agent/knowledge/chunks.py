"""Cutting a document into passages: along its structure, and with offsets at which it gives their text back."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePath

LIMIT = 800
OVERLAP = 160
# No cut leaves a shorter passage before it, such as a heading alone. More than OVERLAP, or cutting would never end.
SHORTEST = 200
LONGEST_HEADING = 120

SEPARATOR = " › "

# The line ends that Markdown knows; str.splitlines knows more.
NEWLINE = re.compile(r"\r\n?|\n")
_SOLID = re.compile(r"\S")
# Where to cut a block that is too long, the best place first: an empty line, the end of a sentence or line, a space.
_BREAKS = tuple(map(re.compile, (r"\n\s*\n", r"(?<=[.!?…])\s+|[。\uff01\uff1f]|\n", r"\s+")))


@dataclass(frozen=True)
class Chunk:
    """A passage of a document.

    Args:
        title: the document's title.
        heading: the headings above it, outermost first and without the title: "Care › Washing".
        text: the passage as it stands in the document, which is document[start:end].
        start: offset of its first character.
        end: offset behind its last character.
        first_line: line that it starts on, from 1, where the document has lines that a reader can count.
        last_line: line that it ends on.
        page: page that it starts on, from 1, where the document has pages.
    """

    title: str
    heading: str
    text: str
    start: int
    end: int
    first_line: int | None
    last_line: int | None
    page: int | None = None

    @property
    def embedded(self) -> str:
        """The text to embed: the passage under the title and headings that it belongs to."""
        return f"{SEPARATOR.join(filter(None, (self.title, self.heading)))}\n{self.text}"


@dataclass(frozen=True)
class Heading:
    """A heading, which opens a section.

    Args:
        start: offset at which its section starts.
        body: offset behind the heading itself.
        level: 1 for the outermost; 0 for the start of the document.
        text: its words; "" where a section has none.
    """

    start: int
    body: int
    level: int
    text: str


@dataclass(frozen=True)
class Outline:
    """A document's structure.

    Args:
        title: its title, "" where it gives itself none.
        headings: its headings in order, the first one for what stands before the others.
        boundaries: offsets at which it is best cut, in rising order; a list's places go before those of the next.
    """

    title: str
    headings: Sequence[Heading]
    boundaries: Sequence[Sequence[int]]


def cut(document: str, outline: Outline, name: str) -> Iterator[Chunk]:
    """Yield a document's passages.

    Args:
        document: its text.
        outline: its structure.
        name: file name, which is the title where the document has none.
    """
    lines = line_starts(document)
    title = outline.title or PurePath(name).stem or name
    for path, section_start, section_end in _sections(document, outline.headings):
        heading = SEPARATOR.join(path[1:] if path[:1] == [title] else path)
        for start, end in _cut_section(document, section_start, section_end, outline.boundaries):
            first_line, last_line = bisect_right(lines, start), bisect_right(lines, end - 1)
            yield Chunk(title, heading, document[start:end], start, end, first_line, last_line)


def keyed(chunks: Sequence[Chunk], *document: str) -> dict[str, Chunk]:
    """Return chunks by key. A chunk's key stays while what is embedded of it does, and so its vector can stay.

    Args:
        chunks: the chunks of one document.
        document: what tells this document from others.
    """
    seen: Counter[str] = Counter()
    keys = {}
    for chunk in chunks:
        seen[chunk.embedded] += 1
        identity = "\0".join((*document, str(seen[chunk.embedded]), chunk.embedded))
        keys[hashlib.sha256(identity.encode()).hexdigest()[:32]] = chunk
    return keys


def line_starts(document: str) -> list[int]:
    """Return the offset at which each line starts, and after them the document's length."""
    return [0, *(match.end() for match in NEWLINE.finditer(document)), len(document)]


def first_line(document: str) -> str:
    """Return the first line where it stands alone and is short enough for a title, else ""."""
    line, *below = NEWLINE.split(document.lstrip(), 2)
    return line.strip() if len(line) <= LONGEST_HEADING and not "".join(below[:1]).strip() else ""


def shortened(text: str) -> str:
    """Return a heading's text in one line that is not too long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_HEADING else f"{text[: LONGEST_HEADING - 1]}…"


def _sections(document: str, headings: Sequence[Heading]) -> Iterator[tuple[list[str], int, int]]:
    """Yield each section's headings and offsets. A heading with only a deeper one under it opens that one's section."""
    path: list[Heading] = []
    start = 0
    for heading, following in zip_longest(headings, headings[1:]):
        path = [*(above for above in path if above.level < heading.level), heading]
        end = following.start if following else len(document)
        if following and following.level > heading.level and not document[heading.body : end].strip():
            continue
        yield [above.text for above in path if above.text], start, end
        start = end


def _cut_section(document: str, start: int, end: int, boundaries: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Yield the offsets of a section's passages without the blanks around them."""
    start, end = _trimmed(document, start, end)
    while end - start > LIMIT:
        stop = _boundary(boundaries, start + SHORTEST, start + LIMIT)
        resume = stop
        if not stop:
            stop = _break(document, start + SHORTEST, start + LIMIT)
            resume = _overlap(document, stop)
        yield _trimmed(document, start, stop)
        solid = _SOLID.search(document, resume, end)
        assert solid  # the section ends in one
        start = solid.start()
    if start < end:
        yield start, end


def _boundary(boundaries: Sequence[Sequence[int]], low: int, high: int) -> int:
    """Return the last place between two offsets in the first list that has one, else 0."""
    for places in boundaries:
        index = bisect_right(places, high) - 1
        if index >= 0 and places[index] > low:
            return places[index]
    return 0


def _break(document: str, low: int, high: int) -> int:
    """Return the offset between two at which a block is best torn apart."""
    for pattern in _BREAKS:
        if ends := [match.end() for match in pattern.finditer(document, low, high)]:
            return ends[-1]
    return high


def _overlap(document: str, stop: int) -> int:
    """Return where the passage after one torn off at an offset starts, so that it repeats its last words."""
    low = stop - OVERLAP
    for pattern in _BREAKS[1:]:
        if match := pattern.search(document, low, stop - 1):
            return match.end()
    return low


def _trimmed(document: str, start: int, end: int) -> tuple[int, int]:
    text = document[start:end]
    blanks = len(text) - len(text.lstrip())
    return start + blanks, max(start + blanks, start + len(text.rstrip()))
