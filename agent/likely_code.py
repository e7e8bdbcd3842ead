"""Code in a Markdown text, as those who read it most likely see it: it holds neither citations nor sentences.

Links depend on what is code for certain, which `agent.code_blocks` tells.
"""

from __future__ import annotations

import re

_SHORTEST_FENCE = 3
_PART = re.compile(r"`+|~+|\n|[^`~\n]+")
# What of a line may stand before a fence: its indent, and marks of lists and quotes.
_MARKS = re.compile(r"[\s>*+.)\d•–-]*")


class LikelyCode:
    """Follows a text that may come in pieces.

    A fence ends at one of its kind that is as long at least; a span ends at as many backticks, or with its line.
    """

    def __init__(self) -> None:
        self._run = ""  # backticks or tildes, of which more may come
        self._open = ""  # what began the code
        self._may_be_fence = False
        self._below = False  # whether a line has ended since
        self._only_marks = True  # whether nothing else stands in the line

    @property
    def fenced(self) -> bool:
        """Whether the text is inside a fence, below the line that began it."""
        return bool(self._open) and self._below

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """Take the next piece of the text and return its parts, each with whether it is code or what encloses it."""
        return [(part, self._take(part)) for part in _PART.findall(text)]

    def _take(self, part: str) -> bool:
        if self._run and part[0] != self._run[0]:
            self._end_run()
        if part[0] in "`~":
            self._run += part
            return part[0] == "`" or len(self._run) >= _SHORTEST_FENCE
        is_code = bool(self._open)
        if part == "\n":
            self._end_line()
        elif not _MARKS.fullmatch(part):
            self._only_marks = False
        return is_code

    def _end_run(self) -> None:
        run, self._run = self._run, ""
        is_fence = self._only_marks and len(run) >= _SHORTEST_FENCE
        self._only_marks = False
        if not self._open:
            if is_fence or run[0] == "`":
                self._open, self._may_be_fence, self._below = run, is_fence, False
        elif (is_fence and run.startswith(self._open)) if self._below else run == self._open:
            self._open = ""

    def _end_line(self) -> None:
        self._only_marks = True
        if self._may_be_fence:
            self._below = True
        else:
            self._open = ""
