"""PDF: the text of each page as Markdown, in which large lines are headings."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from agent.knowledge.chunks import LONGEST_HEADING, shortened
from agent.knowledge.formats.converted import Converted
from agent.knowledge.formats.errors import Unreadable, readable

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfTextPage

MOST_PAGES = 5000
MOST_CHARACTERS = 20_000_000

# PDFium must not be used by two threads at once.
_PDFIUM = threading.Lock()

# How much higher than the text a heading's letters are.
_LARGE = 1.15
# Markdown knows no deeper headings.
_DEEPEST = 6
# Lines further apart than this are not of one block: in lines of the page, and in letters for the lines of a heading.
_FAR = 1.3
_FAR_LARGE = 1.6
# A line is a header or footer if it stands at the edge of this share of the pages, numbers aside.
_REPEATED = 0.5
_FEWEST_REPEATS = 2
_NUMBER = re.compile(r"\d+")
# PDFium puts this in the place of a hyphen and the line end behind it.
_BROKEN = "\ufffe"
_LINE_END = re.compile(rf"\r\n?|\n|(?<={_BROKEN})")


@dataclass(frozen=True)
class _Line:
    """A line of a page: its words, the height of its letters and its place above the page's bottom, in points."""

    text: str
    height: float
    bottom: float


def convert(content: bytes, _charset: str | None) -> Converted:
    """Return what a PDF says.

    Args:
        content: the file.

    Raises:
        Unreadable: it is no PDF, locked by a password, too long, or holds no text.
    """
    with readable("it is no PDF, or a damaged one: print it to a PDF again"), _PDFIUM:
        title, pages = _read(content)
    if not any(pages):
        raise Unreadable("it holds pictures of text only: run OCR on it first")
    marks = _marks(line for page in pages for line in page)
    pages = _without_repeats(pages, marks)
    return Converted(shortened(title), [_markdown(page, marks) for page in pages])


def _read(content: bytes) -> tuple[str, list[list[_Line]]]:
    """Return the title and each page's lines."""
    from pypdfium2 import PdfDocument, PdfiumError
    from pypdfium2.raw import FPDF_ERR_PASSWORD

    try:
        document = PdfDocument(content)
    except PdfiumError as error:
        if error.err_code == FPDF_ERR_PASSWORD:
            raise Unreadable("it is protected by a password: save it without one") from error
        raise
    with closing(document):
        if len(document) > MOST_PAGES:
            raise Unreadable(f"it has {len(document)} pages: split it into files of at most {MOST_PAGES}")
        return document.get_metadata_value("Title"), list(_pages(document))


def _pages(document: PdfDocument) -> Iterator[list[_Line]]:
    room = MOST_CHARACTERS
    for page in document:
        with closing(page), closing(page.get_textpage()) as text:
            room -= text.count_chars()
            if room < 0:
                raise Unreadable("it holds too much for one document: split it")
            yield list(_lines(text))


def _lines(page: PdfTextPage) -> Iterator[_Line]:
    from pypdfium2.raw import FPDFText_GetCharIndexFromTextIndex

    text = page.get_text_range()
    start = 0
    for line in _LINE_END.split(text):
        place = text.index(line, start)
        start = place + len(line)
        if line.strip():
            character = FPDFText_GetCharIndexFromTextIndex(page, place + len(line) - len(line.lstrip()))
            _, bottom, _, top = page.get_charbox(max(character, 0), loose=True)
            yield _Line(line.strip(), round(top - bottom, 1), bottom)


def _without_repeats(pages: Sequence[Sequence[_Line]], marks: Mapping[float, str]) -> list[list[_Line]]:
    """Return the pages without their headers and footers: first and last lines that most pages have."""
    edges = (line for page in pages for line in {*page[:1], *page[-1:]})
    times = Counter(_NUMBER.sub("#", line.text) for line in edges)
    often = max(_FEWEST_REPEATS, len(pages) * _REPEATED)

    def repeated(line: _Line) -> bool:
        return line.height not in marks and times[_NUMBER.sub("#", line.text)] >= often

    return [[line for line in page if not (line in (page[0], page[-1]) and repeated(line))] for page in pages]


def _marks(lines: Iterable[_Line]) -> dict[float, str]:
    """Return the Markdown marks of headings by the height of their letters, the largest first."""
    heights = Counter[float]()
    for line in lines:
        heights[line.height] += len(line.text)
    usual = heights.most_common(1)[0][0] if heights else 0.0
    large = sorted((height for height in heights if height > usual * _LARGE), reverse=True)
    return {height: "#" * min(level, _DEEPEST) for level, height in enumerate(large, start=1)}


def _markdown(page: Sequence[_Line], marks: Mapping[float, str]) -> str:
    """Return a page's paragraphs and headings, which are told by their height."""
    blocks = []
    for lines in _blocks(page, marks):
        text = "\n".join(line.text for line in lines).replace(f"{_BROKEN}\n", "").replace(_BROKEN, "")
        heading = " ".join(text.split())
        mark = marks.get(lines[0].height) if len(heading) <= LONGEST_HEADING else None
        blocks.append(f"{mark} {heading}" if mark else text)
    return "\n\n".join(blocks)


def _blocks(page: Sequence[_Line], marks: Mapping[float, str]) -> Iterator[list[_Line]]:
    """Yield the lines of each block: those that are close to each other and of one kind."""
    gaps = [above.bottom - below.bottom for above, below in pairwise(page)]
    descents = sorted(gap for gap in gaps if gap > 0) or [0.0]
    usual = descents[len(descents) // 4]
    block = [*page[:1]]
    for gap, (above, below) in zip(gaps, pairwise(page), strict=True):
        far = _FAR_LARGE * below.height if below.height in marks else _FAR * usual
        if marks.get(above.height) != marks.get(below.height) or not 0 <= gap <= far:
            yield block
            block = []
        block.append(below)
    if block:
        yield block
