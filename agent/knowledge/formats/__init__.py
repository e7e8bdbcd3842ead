"""The formats that documents come in, and their way from bytes to passages."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from agent.knowledge.chunks import Chunk, Outline, cut
from agent.knowledge.formats import code, docx, html, json, markdown, pdf, table, text
from agent.knowledge.formats.converted import Converted
from agent.knowledge.formats.decoding import decoded
from agent.knowledge.formats.errors import Unreadable
from agent.knowledge.formats.kinds import KINDS, kind_of
from agent.untrusted import visible

__all__ = ["KINDS", "Unreadable", "kind_of", "split"]

_BETWEEN_PAGES = "\n\n"
# `visible` would make line ends of them, at which no editor begins a line.
_UNCOUNTED_LINE_ENDS = re.compile("[\v\f\x85\u2028\u2029]")


def split(content: bytes, name: str, kind: str, *, charset: str | None = None) -> list[Chunk]:
    """Return a document's passages.

    Args:
        content: the file.
        name: file name, which is the title where the document has none.
        kind: its format, one of KINDS.
        charset: the encoding that it was sent with, None where nothing was said.

    Raises:
        Unreadable: it cannot be read.
    """
    form = _FORMATS[kind]
    document = form.read(content, charset)
    pages = [visible(page) for page in document.pages]
    whole = _BETWEEN_PAGES.join(pages)
    outline = form.outline(whole)
    chunks = cut(whole, replace(outline, title=visible(document.title) or outline.title), name)
    return form.placed(chunks, pages)


def _as_it_stands(content: bytes, charset: str | None) -> Converted:
    return Converted("", [_UNCOUNTED_LINE_ENDS.sub(" ", decoded(content, charset))])


def _by_lines(chunks: Iterable[Chunk], _pages: Sequence[str]) -> list[Chunk]:
    return list(chunks)


def _by_pages(chunks: Iterable[Chunk], pages: Sequence[str]) -> list[Chunk]:
    ends = list(accumulate(len(page) + len(_BETWEEN_PAGES) for page in pages))
    return [
        replace(chunk, first_line=None, last_line=None, page=bisect_right(ends, chunk.start) + 1) for chunk in chunks
    ]


def _nowhere(chunks: Iterable[Chunk], _pages: Sequence[str]) -> list[Chunk]:
    return [replace(chunk, first_line=None, last_line=None) for chunk in chunks]


class _Format(NamedTuple):
    """How a format is read, how what was read is structured, and by what a reader finds a passage again."""

    read: Callable[[bytes, str | None], Converted]
    outline: Callable[[str], Outline]
    placed: Callable[[Iterable[Chunk], Sequence[str]], list[Chunk]]


_FORMATS = {
    "markdown": _Format(_as_it_stands, markdown.outline, _by_lines),
    "text": _Format(_as_it_stands, text.outline, _by_lines),
    "code": _Format(_as_it_stands, code.outline, _by_lines),
    "csv": _Format(_as_it_stands, table.outline, _by_lines),
    "json": _Format(_as_it_stands, json.outline, _by_lines),
    "jsonl": _Format(_as_it_stands, json.outline_of_lines, _by_lines),
    "html": _Format(html.convert, markdown.outline, _nowhere),
    "docx": _Format(docx.convert, markdown.outline, _nowhere),
    "pdf": _Format(pdf.convert, markdown.outline, _by_pages),
}
