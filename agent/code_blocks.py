"""Code in a Markdown text that streams: fences and spans, as far as every reader of Markdown takes them for code."""

from __future__ import annotations

import re
from enum import IntEnum

# More of a line's beginning is never needed.
_LINE = 80
_SHORTEST_FENCE = 3
_LARGEST_INDENT = 3
_FENCE = re.compile(r"(?P<mark>`{3,20}|~{3,20})(?:(?<=`)[^`\n]{0,100}|(?<=~)[^\n]{0,100})\n")
_FENCE_BEGUN = re.compile(r"(?:`{3,20}[^`\n]{0,100}|~{3,20}[^\n]{0,100})\Z")
_FENCE_INDENT = re.compile(r" {0,3}")
_LINE_IN_FENCE = re.compile(r"(?P<indent> *)(?P<mark>`+|~+|)[ \t]*")
_RUN = re.compile(r"`+|~+")
# Tables are cut at "|" before anybody looks for code in their cells.
_SPAN = re.compile(r"(?P<run>`{1,20})(?!`)[^\n|]{1,200}?(?<!`)(?P=run)(?!`)")
_SPAN_BEGUN = re.compile(r"`{1,20}[^\n|]{0,220}\Z")
_BEFORE_DEFINITION = re.compile(r"[\s>*+.)\d-]*")

# Where a piece of a text ends, and what is shown of it.
Taken = tuple[int, str]


class Doubt(IntEnum):
    """How far it is uncertain what is code. What is uncertain counts as none."""

    NONE = 0
    PARAGRAPH = 1
    REST = 2


class Code:
    """Follows a text and knows where it is in code.

    Attributes:
        doubt: how far ahead nothing is taken for code, but a fence after `PARAGRAPH`.
    """

    def __init__(self) -> None:
        self.doubt = Doubt.NONE
        self._mark = ""
        self._indent = 0
        self._line = ""
        self._last = ""

    @property
    def fenced(self) -> bool:
        """Whether the text is inside a fence."""
        return bool(self._mark)

    @property
    def may_define(self) -> bool:
        """Whether a link definition could begin here: nothing but marks of lists and quotes stands before."""
        return _BEFORE_DEFINITION.fullmatch(self._line) is not None

    def note(self, piece: str) -> None:
        """Follow a piece of the text."""
        if not piece:
            return
        before, newline, after = piece.rpartition("\n")
        if newline and self.doubt is Doubt.PARAGRAPH and len(self._line) < _LINE and not (self._line + before).strip():
            self.doubt = Doubt.NONE
        self._line = (after if newline else self._line + piece)[:_LINE]
        self._last = piece[-1]

    def doubted(self, doubt: Doubt) -> None:
        """Doubt at least so far."""
        self.doubt = max(self.doubt, doubt)

    def fence_line(self, text: str, start: int, *, ended: bool) -> Taken | None:
        """Take the next piece of a line inside a fence, or None as long as the line may be the fence's end."""
        end = text.find("\n", start) + 1 or len(text)
        if self._line:
            return end, text[start:end]
        line = _LINE_IN_FENCE.match(text, start)
        assert line is not None, "the expression matches the empty text"
        if line.end() == len(text) and not ended:
            return None
        alone = text[line.end() : line.end() + 1] in ("", "\n")
        indent, mark = len(line["indent"]), line["mark"]
        closes = alone and mark.startswith(self._mark)
        if closes and self._indent <= indent <= _LARGEST_INDENT:
            self._mark = ""
        elif self._indent and (closes or (indent < self._indent and not (alone and not mark))):
            # In a list, the fence may have ended with its item.
            self._mark = ""
            self.doubt = Doubt.REST
            return start, ""
        return end, text[start:end]

    def begin(self, text: str, start: int, *, ended: bool) -> Taken | None:
        """Take backticks or tildes, with the span or the fence's first line that they begin; None if more must come."""
        run = _RUN.match(text, start)
        assert run is not None, "it is called where a run begins"
        if run.end() == len(text) and not ended:
            return None
        long = len(run[0]) >= _SHORTEST_FENCE
        if long and self.doubt < Doubt.REST and _FENCE_INDENT.fullmatch(self._line):
            if fence := _FENCE.match(text, start):
                self._mark, self._indent, self.doubt = fence["mark"], len(self._line), Doubt.NONE
                return fence.end(), fence[0]
            if not ended and _FENCE_BEGUN.match(text, start):
                return None
        if run[0][0] == "`" and self.doubt is Doubt.NONE and self._last != "\\":
            span = _SPAN.match(text, start)
            if not ended and (span.end() == len(text) if span else _SPAN_BEGUN.match(text, start)):
                return None
            if span:
                return span.end(), span[0]
        if long or run[0][0] == "`":
            self.doubted(Doubt.REST if long else Doubt.PARAGRAPH)
        return run.end(), run[0]
