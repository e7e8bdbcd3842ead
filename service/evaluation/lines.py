"""Files of records, one a line, that only grow: what is kept survives a kill at any moment."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from pydantic import ValidationError

from agent.errors import SelfhelpError


class Record(Protocol):
    """A pydantic model with a key."""

    @property
    def key(self) -> str:
        """What it is found by."""
        ...

    def model_dump_json(self) -> str:
        """Write it as a line."""
        ...

    @classmethod
    def model_validate_json(cls, json_data: str) -> Self:
        """Read it from a line."""
        ...


T = TypeVar("T", bound=Record)


class Lines(Generic[T]):
    """The records of a file by their keys. Of several with one key, the last counts.

    Args:
        path: the file, which need not exist.
        kind: what its lines are.

    Raises:
        SelfhelpError: a line is something else. The last one may be cut short, as a kill leaves it, and is dropped.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._known: dict[str, T] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._file.seek(0)
        content = self._file.read()
        *whole, cut_short = content.split(b"\n")
        for number, line in enumerate(whole, start=1):
            try:
                self._keep(kind.model_validate_json(line.decode()))
            except (ValidationError, UnicodeDecodeError):
                self.close()
                raise SelfhelpError(f"{path}, line {number}, is no {kind.__name__}: move the file away") from None
        self._file.truncate(len(content) - len(cut_short))

    def get(self, key: str) -> T | None:
        """Return the record of a key, if there is one."""
        return self._known.get(key)

    def add(self, record: T) -> None:
        """Keep a record. It is on disk when this returns."""
        self._file.write(record.model_dump_json().encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._keep(record)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _keep(self, record: T) -> None:
        self._known[record.key] = record


def put_aside(path: Path) -> None:
    """Move a file away, so that a new one begins. None of it is lost."""
    if path.exists():
        places = (path.with_suffix(f".{number}{path.suffix}") for number in count(1))
        path.rename(next(place for place in places if not place.exists()))
