"""The plan protocol once more, as plainly as can be: what a plan is to do, to hold the graph against.

Arguments are kept as terms, so that nothing here reads references out of text, as the graph does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int | None, ...]  # None is [*]


class Fails(Exception):
    """The call fails."""


@dataclass(frozen=True)
class Ref:
    """A reference."""

    call: int
    path: Path = ()

    def __str__(self) -> str:
        return f"${{{self.call}{''.join(map(_segment, self.path))}}}"


def _segment(segment: str | int | None) -> str:
    if segment is None:
        return "[*]"
    return f"[{segment}]" if isinstance(segment, int) else f".{segment}"


@dataclass(frozen=True)
class Text:
    """A longer text with references in it."""

    parts: tuple[str | Ref, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


Term = Any  # a JSON value, a reference, a text, or a list of these


@dataclass(frozen=True)
class Step:
    """A call of a plan, with its one argument."""

    tool: str
    argument: Term

    @property
    def written(self) -> Any:
        """The argument as the model writes it."""
        return _written(self.argument)

    @property
    def depends(self) -> set[int]:
        """The calls that it refers to."""
        return {ref.call for ref in _refs(self.argument)}


@dataclass
class Result:
    """What became of a call: its status, what its tool was given each time, and its value."""

    status: str
    given: tuple[Any, ...] = ()
    value: Any = None


def _written(term: Term) -> Any:
    if isinstance(term, Ref | Text):
        return str(term)
    return [_written(item) for item in term] if isinstance(term, list) else term


def _refs(term: Term) -> Iterator[Ref]:
    if isinstance(term, Ref):
        yield term
    for part in term.parts if isinstance(term, Text) else term if isinstance(term, list) else ():
        yield from _refs(part)


def executions(step: Step, takes_list: bool, results: Mapping[int, Result]) -> list[Any] | Any:
    """Return the argument with results in it, or a list of arguments where the call fans out."""
    spreading = [] if takes_list else [ref for ref in _refs(step.argument) if None in ref.path]
    if not spreading:
        return _valued(step.argument, results)
    lists = {ref: _every(results[ref.call].value, ref.path) for ref in spreading}
    if len({len(elements) for elements in lists.values()}) > 1:
        raise Fails
    return Fan(
        _valued(step.argument, results, dict(zip(lists, each, strict=True)))
        for each in zip(*lists.values(), strict=True)
    )


class Fan(list[Any]):
    """The arguments of a call that fans out."""


def _valued(term: Term, results: Mapping[int, Result], elements: Mapping[Ref, Any] | None = None) -> Any:
    if isinstance(term, Ref):
        return elements[term] if elements and term in elements else _at(results[term.call].value, term.path)
    if isinstance(term, Text):
        return "".join(
            part if isinstance(part, str) else _rendered(_valued(part, results, elements)) for part in term.parts
        )
    if not isinstance(term, list):
        return term
    items: list[Any] = []
    for item in term:
        value = _valued(item, results, elements)
        items += value if isinstance(item, Ref) and None in item.path else [value]
    return items


def _at(value: Any, path: Path) -> Any:
    if None in path:
        return _every(value, path)
    for segment in path:
        if (isinstance(value, dict) and segment in value) or (
            isinstance(value, list) and isinstance(segment, int) and segment < len(value)
        ):
            value = value[segment]
        else:
            raise Fails
    return value


def _every(value: Any, path: Path) -> list[Any]:
    star = path.index(None)
    elements = _at(value, path[:star])
    if not isinstance(elements, list):
        raise Fails
    return [_at(element, path[star + 1 :]) for element in elements]


def _rendered(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(map(_rendered, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def stages(steps: Sequence[Step], asked: set[int]) -> list[list[int]]:
    """Return the numbers of the calls in the order of requests to a person: before the first, behind it, and so on."""
    stage: dict[int, int] = {}
    for number, step in enumerate(steps, 1):
        stage[number] = max((stage[before] for before in step.depends), default=0) + (number in asked)
    return [[number for number in stage if stage[number] == place] for place in range(max(stage.values()) + 1)]
