"""Citations checked in code: numbers that stand for no passage are taken out of the answer, on the stream."""

from __future__ import annotations

import re
from collections.abc import Collection

from agent.likely_code import LikelyCode

# "[12]" or "[1, 2]" with the space before it: the longest text that is ever held back.
LONGEST_CITATION = 66

_SPACE = r"[ \t]{0,4}"
# Of passages, as they stand between brackets.
NUMBERS = r"[0-9]{1,4}(?:[ \t]*,[ \t]*[0-9]{1,4})*"
_CITATION = re.compile(rf"(?P<space>{_SPACE})\[(?=[0-9 \t,]{{1,60}}\])[ \t]*(?P<numbers>{NUMBERS})[ \t]*\]")
_BEGINNING = re.compile(rf"{_SPACE}(?:\[[0-9 \t,]{{0,60}})?\Z")


class CitationCheck:
    """Takes a text in pieces and gives it back without the citations that stand for nothing.

    Numbers in brackets within code are no citations.

    Args:
        known: numbers of the passages that may be cited.
    """

    def __init__(self, known: Collection[int]) -> None:
        self._known = known
        self._held = ""
        self._code = LikelyCode()
        self.cited: list[int] = []
        self.removed = 0

    def feed(self, text: str) -> str:
        """Take the next piece and return what can be shown: all but what may be the beginning of a citation."""
        pieces = self._code.pieces(text)
        return "".join(self.finish() + piece if is_code else self._checked(piece) for piece, is_code in pieces)

    def finish(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return held

    def _checked(self, piece: str) -> str:
        text = self._held + piece
        begins = _BEGINNING.search(text)
        assert begins is not None, "the expression matches the empty end"
        self._held = text[begins.start() :]
        return _CITATION.sub(self._judge, text[: begins.start()])

    def _judge(self, citation: re.Match[str]) -> str:
        asked = dict.fromkeys(map(int, citation["numbers"].split(",")))
        kept = [number for number in asked if number in self._known]
        self.removed += len(asked) - len(kept)
        self.cited += [number for number in kept if number not in self.cited]
        return f"{citation['space']}[{', '.join(map(str, kept))}]" if kept else ""
