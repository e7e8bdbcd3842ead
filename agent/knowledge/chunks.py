"""Splitting a document into passages: along its structure, and with offsets at which it gives their text back."""

from __future__ import annotations

import codecs
import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import PurePath

from markdown_it import MarkdownIt

from agent.errors import SelfhelpError

LIMIT = 800
OVERLAP = 160
# No cut leaves a shorter passage before it, such as a heading alone. More than OVERLAP, or cutting would never end.
SHORTEST = 200
LONGEST_HEADING = 120

SEPARATOR = " › "

_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")
_INLINE = MarkdownIt("commonmark")

# The line ends that Markdown knows; str.splitlines knows more.
_NEWLINE = re.compile(r"\r\n?|\n")
_FRONT_MATTER = re.compile(r"---[ \t]*[\r\n]+(?=[\w-]+:).*?[\r\n](?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(['\"]?)(.+?)\1[ \t\r]*$", re.MULTILINE)
_UNDERLINE = re.compile(r"([=\-~^*+#])\1{2,}")
_LIST_ITEM = re.compile(r"(?:[-*+•]|\d+[.)])\s")
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
class _Heading:
    """A heading by lines from 0; `body` is the line behind it. Level 0 is the start of the document."""

    line: int
    body: int
    level: int
    text: str


@dataclass(frozen=True)
class _Outline:
    """A document's structure by lines from 0: where headings, blocks, and items or rows within blocks start."""

    title: str
    headings: list[_Heading]
    blocks: list[int]
    parts: list[int]


class Undecodable(SelfhelpError):
    """A file that is no text."""


def decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8, in UTF-16 with its mark, or else in Windows-1252.

    Raises:
        Undecodable: it is none of these.
    """
    encodings = ["utf-8-sig"]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings.append("utf-16")
    elif b"\0" not in content:
        encodings.append("cp1252")
    for encoding in encodings:
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise Undecodable("no text in UTF-8, UTF-16 or Windows-1252: save it as UTF-8")


def split_markdown(document: str, name: str) -> list[Chunk]:
    """Split a Markdown document.

    Args:
        document: its text.
        name: file name, which is the title where the document has none.
    """
    front = _FRONT_MATTER.match(document)
    matter = front[0] if front else ""
    lines_of_matter = len(_NEWLINE.findall(matter))
    titled = _FRONT_TITLE.search(matter)
    outline = _Outline(_shortened(titled[2]) if titled else "", [_Heading(0, lines_of_matter, 0, "")], [], [])
    tokens = _BLOCKS.parse("\n" * lines_of_matter + document[len(matter) :])
    for number, token in enumerate(tokens):
        if token.map is None or token.nesting < 0:
            continue
        first, last = token.map
        if token.level:
            outline.parts.append(first)
        elif token.type == "heading_open":
            outline.headings.append(_Heading(first, last, int(token.tag[1:]), _plain(tokens[number + 1].content)))
        else:
            outline.blocks.append(first)
    return list(_chunks(document, name, outline))


def split_text(document: str, name: str) -> list[Chunk]:
    """Split a plain text, in which an underlined line is a heading.

    Args:
        document: its text.
        name: file name, which is the title where the document has none.
    """
    lines = [document[start:end].strip() for start, end in pairwise(_line_starts(document))]
    outline = _Outline("", [_Heading(0, 0, 0, "")], [], [])
    levels: dict[str, int] = {}
    for number, (before, line, below) in enumerate(zip(["", *lines], lines, [*lines[1:], ""], strict=False)):
        if _is_heading(before, line, below):
            level = levels.setdefault(below[0], len(levels) + 1)
            outline.headings.append(_Heading(number - bool(before), number + 2, level, _shortened(line)))
        elif line and not before:
            outline.blocks.append(number)
        elif _LIST_ITEM.match(line):
            outline.parts.append(number)
    return list(_chunks(document, name, outline))


# What splits a file of which ending.
SPLITTERS: dict[str, Callable[[str, str], list[Chunk]]] = {
    ".md": split_markdown,
    ".markdown": split_markdown,
    ".txt": split_text,
    ".text": split_text,
    ".rst": split_text,
}


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


def _chunks(document: str, name: str, outline: _Outline) -> Iterator[Chunk]:
    lines = _line_starts(document)
    texts = [heading.text for heading in outline.headings if heading.text]
    title = outline.title or next(iter(texts), "") or _first_line(document) or PurePath(name).stem
    boundaries = [[lines[line] for line in outline.blocks], [lines[line] for line in outline.parts]]
    for path, section_start, section_end in _sections(document, lines, outline.headings):
        heading = SEPARATOR.join(path[1:] if path[:1] == [title] else path)
        for start, end in _cut(document, section_start, section_end, boundaries):
            first_line, last_line = bisect_right(lines, start), bisect_right(lines, end - 1)
            yield Chunk(title, heading, document[start:end], start, end, first_line, last_line)


def _sections(document: str, lines: list[int], headings: list[_Heading]) -> Iterator[tuple[list[str], int, int]]:
    """Yield each section's headings and offsets. A heading with only a deeper one under it opens that one's section."""
    path: list[_Heading] = []
    start = 0
    for heading, following in zip_longest(headings, headings[1:]):
        path = [*(above for above in path if above.level < heading.level), heading]
        end = lines[following.line] if following else len(document)
        if following and following.level > heading.level and not document[lines[heading.body] : end].strip():
            continue
        yield [above.text for above in path if above.text], start, end
        start = end


def _cut(document: str, start: int, end: int, boundaries: Sequence[list[int]]) -> Iterator[tuple[int, int]]:
    """Yield the offsets of a section's passages without the blanks around them.

    Args:
        document: the text.
        start: where the section starts.
        end: where it ends.
        boundaries: offsets at which it is best cut, in rising order; a list's places go before those of the next.
    """
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


def _boundary(boundaries: Sequence[list[int]], low: int, high: int) -> int:
    """Return the last place between two offsets at which a block starts, else one at which a part does, else 0."""
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


def _line_starts(document: str) -> list[int]:
    """Return the offset at which each line starts, and after them the document's length."""
    return [0, *(match.end() for match in _NEWLINE.finditer(document)), len(document)]


def _first_line(document: str) -> str:
    """Return the first line where it stands alone and is short enough for a title."""
    line, *below = _NEWLINE.split(document.lstrip(), 2)
    return line.strip() if len(line) <= LONGEST_HEADING and not "".join(below[:1]).strip() else ""


def _is_heading(before: str, line: str, below: str) -> bool:
    """Whether a line of plain text is underlined as a heading is; the same line may stand above it."""
    if not _UNDERLINE.fullmatch(below) or _UNDERLINE.fullmatch(line):
        return False
    return 0 < len(line) <= LONGEST_HEADING and before in {"", below}


def _plain(markdown: str) -> str:
    """Return a heading's words without their markup."""
    [inline] = _INLINE.parseInline(markdown)
    return _shortened("".join(token.content or " " * (token.type == "softbreak") for token in inline.children or ()))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_HEADING else f"{text[: LONGEST_HEADING - 1]}…"
