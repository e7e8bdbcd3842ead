"""The reference grammar `${N.path}`: finding references in arguments and putting results in their place.

    reference = "${" number path "}"
    number    = "1".."9" {digit}                  the call's place in the reply, counted from 1
    path      = { "." name | "[" index "]" | "[*]" }

Anything else that starts with a dollar sign (`$100`, `${HOME}`, `$1`, `${0}`) is plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import SelfhelpError
from agent.plain import kind_of, plain

_REFERENCE = re.compile(r"\$\{(?P<call>[1-9]\d{0,3})(?P<path>(?:\.[^\s.\[\]{}$]+|\[\d{1,6}\]|\[\*\])*)\}", re.ASCII)
_SEGMENT = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\*\]", re.ASCII)


class UnresolvedReference(SelfhelpError):
    """A reference whose path is not in the result it points to."""


class Every:
    """The path segment `[*]`."""

    def __repr__(self) -> str:
        return "[*]"


EVERY = Every()
Segment = str | int | Every


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${N.path}` as it stands in an argument.

    Args:
        call: number of the call referred to, from 1.
        path: names, list positions and `EVERY`, outermost first.
        text: the reference as written.
    """

    call: int
    path: tuple[Segment, ...]
    text: str

    @property
    def spreads(self) -> bool:
        """Whether the path holds `[*]`, so that the value is a list with one item per element."""
        return EVERY in self.path

    def value(self, results: Mapping[int, Any]) -> Any:
        """Look the path up in the result of the call.

        Args:
            results: result by call number.

        Raises:
            UnresolvedReference: the result has no such part.
        """
        return _walk(results[self.call], self.path, self.text)


def parse(text: str) -> Iterator[Reference]:
    """Yield the references in a text, left to right."""
    for match in _REFERENCE.finditer(text):
        yield _reference(match)


def whole(text: str) -> Reference | None:
    """Return the reference if the text is exactly one, else None."""
    match = _REFERENCE.fullmatch(text)
    return _reference(match) if match else None


def find(value: Any) -> Iterator[Reference]:
    """Yield every reference in a JSON value, in order of appearance."""
    if isinstance(value, str):
        yield from parse(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from find(item)
    elif isinstance(value, list):
        for item in value:
            yield from find(item)


def substitute(value: Any, lookup: Callable[[Reference], Any]) -> Any:
    """Return a JSON value with its references replaced.

    A text that is exactly one reference takes the value with its type; inside longer text the value is rendered; a
    `[*]` reference that is an item of a list is spread into that list.

    Args:
        value: the arguments of a call, or a part of them.
        lookup: gives the value of a reference.
    """
    if isinstance(value, str):
        reference = whole(value)
        if reference:
            return lookup(reference)
        return _REFERENCE.sub(lambda match: render(lookup(_reference(match))), value)
    if isinstance(value, Mapping):
        return {name: substitute(item, lookup) for name, item in value.items()}
    if isinstance(value, list):
        return [item for each in value for item in _items(each, lookup)]
    return value


def render(value: Any) -> str:
    """Write a result as text: strings as they are, plain lists with commas, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ", ".join(render(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def _items(value: Any, lookup: Callable[[Reference], Any]) -> list[Any]:
    reference = whole(value) if isinstance(value, str) else None
    resolved = substitute(value, lookup)
    if reference and reference.spreads and isinstance(resolved, list):
        return resolved
    return [resolved]


def _reference(match: re.Match[str]) -> Reference:
    return Reference(int(match["call"]), tuple(_segments(match["path"])), match[0])


def _segments(path: str) -> Iterator[Segment]:
    for match in _SEGMENT.finditer(path):
        if match["name"] is not None:
            yield match["name"]
        elif match["index"] is not None:
            yield int(match["index"])
        else:
            yield EVERY


def _walk(value: Any, path: tuple[Segment, ...], text: str) -> Any:
    for position, segment in enumerate(path):
        value = _opened(value)
        if isinstance(segment, Every):
            if not isinstance(value, list):
                raise UnresolvedReference(f"{text}: [*] needs a list, and there is {kind_of(value)}")
            rest = path[position + 1 :]
            parts = [_walk(item, rest, text) for item in value]
            return [item for part in parts for item in part] if EVERY in rest else parts
        value = _part(value, segment, text)
    return value


def _part(value: Any, segment: str | int, text: str) -> Any:
    if isinstance(segment, int):
        if not isinstance(value, list):
            raise UnresolvedReference(f"{text}: [{segment}] needs a list, and there is {kind_of(value)}")
        if segment >= len(value):
            raise UnresolvedReference(f"{text}: the list has {len(value)} items, so there is no [{segment}]")
        return value[segment]
    if not isinstance(value, dict):
        raise UnresolvedReference(f"{text}: .{segment} needs an object, and there is {kind_of(value)}")
    if segment not in value:
        raise UnresolvedReference(
            f"{text}: no {segment!r} in the result; it has {', '.join(map(str, value)) or 'nothing'}"
        )
    return value[segment]


def _opened(value: Any) -> Any:
    """Read a result that is JSON written as text (many tools answer so), so that a path reaches into it."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return plain(json.loads(value))
        except (ValueError, RecursionError):  # what is not plain is a ValueError
            return value
    return value
