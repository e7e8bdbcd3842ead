"""Citations checked in code: numbers that stand for no passage are taken out of the answer, on the stream."""

from __future__ import annotations

import re
from collections.abc import Collection

# "[12]" or "[1, 2]" with the space before it: the longest text that is ever held back.
LONGEST_CITATION = 26

_SPACE = r"[ \t]{0,4}"
_NUMBERS = r"[0-9]{1,4}(?:[ \t]*,[ \t]*[0-9]{1,4})*"
_CITATION = rf"(?P<space>{_SPACE})\[(?=[0-9 \t,]{{1,20}}\])[ \t]*(?P<numbers>{_NUMBERS})[ \t]*\]"
_TOKEN = re.compile(rf"(?P<fence>```|~~~)|(?P<tick>`)|(?P<newline>\n)|{_CITATION}")
_BEGINNING = re.compile(
    rf"(?:(?<!`)(?:```)*(?P<ticks>`{{1,2}})|(?<!~)(?:~~~)*(?P<tildes>~{{1,2}})|{_SPACE}(?:\[[0-9 \t,]{{0,20}})?)\Z"
)


class CitationCheck:
    """Takes a text in pieces and gives it back without the citations that stand for nothing.

    Numbers in brackets within code are no citations.

    Args:
        known: numbers of the passages that may be cited.
    """

    def __init__(self, known: Collection[int]) -> None:
        self._known = known
        self._held = ""
        self._fence = ""
        self._inline = False
        self.cited: list[int] = []
        self.removed = 0

    def feed(self, text: str) -> str:
        """Take the next piece and return what can be shown: all but what may be the beginning of a citation."""
        text = self._held + text
        begins = _BEGINNING.search(text)
        assert begins is not None, "the expression matches the empty end"
        shown = begins.start(begins.lastgroup or 0)
        self._held = text[shown:]
        return _TOKEN.sub(self._judge, text[:shown])

    def finish(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return _TOKEN.sub(self._judge, held)

    def _judge(self, token: re.Match[str]) -> str:
        if token["fence"]:
            if self._fence in ("", token[0]):
                self._fence = "" if self._fence else token[0]
        elif token["tick"]:
            self._inline = not self._inline
        elif token["newline"]:
            self._inline = False
        elif not (self._fence or self._inline):
            return self._citation(token["space"], token["numbers"])
        return token[0]

    def _citation(self, space: str, numbers: str) -> str:
        asked = [int(number) for number in numbers.split(",")]
        kept = [number for number in asked if number in self._known]
        self.removed += len(asked) - len(kept)
        self.cited += [number for number in kept if number not in self.cited]
        return f"{space}[{', '.join(map(str, kept))}]" if kept else ""
