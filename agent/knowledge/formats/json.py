"""JSON and JSON lines, cut between the elements of the outermost value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from agent.knowledge.chunks import Heading, Outline, line_starts
from agent.knowledge.formats.errors import Unreadable, readable

_BLANKS = re.compile(r"[ \t\r\n]*")
# Numbers are not needed, and Python refuses to make those with very many digits.
_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


def outline(document: str) -> Outline:
    """Return the structure of a JSON document.

    Raises:
        Unreadable: it is no JSON, or nested too deeply.
    """
    with readable("it is no JSON"):
        try:
            elements = list(_elements(document))
        except json.JSONDecodeError as error:
            raise Unreadable(f"it is no JSON: {error}") from error
    return Outline("", [Heading(0, 0, 0, "")], [elements, line_starts(document)])


def outline_of_lines(document: str) -> Outline:
    """Return the structure of a document with a JSON value in each line."""
    return Outline("", [Heading(0, 0, 0, "")], [line_starts(document)])


def _elements(document: str) -> Iterator[int]:
    """Yield the offset of each element of an array or object."""
    start = _solid(document, 0)
    if start == len(document):
        return
    _, end = _DECODER.raw_decode(document, start)
    if _solid(document, end) < len(document):
        raise json.JSONDecodeError("Extra data", document, end)
    if document[start] not in "[{":
        return
    place = _solid(document, start + 1)
    while document[place] not in "]}":
        yield place
        _, place = _DECODER.raw_decode(document, place)
        place = _solid(document, place)
        if document[place] == ":":
            _, place = _DECODER.raw_decode(document, _solid(document, place + 1))
            place = _solid(document, place)
        if document[place] == ",":
            place = _solid(document, place + 1)


def _solid(document: str, start: int) -> int:
    """Return the offset of the first character from an offset that is no blank."""
    match = _BLANKS.match(document, start)
    assert match  # it matches nothing too
    return match.end()
