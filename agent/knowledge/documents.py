"""Documents on their way into the index: where they come from, and what became of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

from agent.errors import SelfhelpError


class NoDocuments(SelfhelpError):
    """A source that is missing or holds nothing to index."""


@dataclass(frozen=True)
class Found:
    """A document that a source holds, before it is read.

    Args:
        name: its name within the source.
        uri: path or address at which it can be opened.
        kind: its format, one of `formats.KINDS`.
        modified: when it was last changed, in seconds since 1970, where that is known.
        read: returns its content. It can be pickled, as another process may read it; raises OSError or Unreadable.
    """

    name: str
    uri: str
    kind: str
    modified: float | None
    read: Callable[[], bytes]


@dataclass
class IndexReport:
    """What became of a source's documents, by their names within it.

    Args:
        added: indexed for the first time.
        changed: indexed again, as their content or place is another.
        unchanged: left as they were.
        removed: no longer in the source, or skipped now.
        skipped: name and reason of what was left out on purpose.
        failed: name and reason of what could not be read. What was indexed of it before is kept.
        incomplete: why the source was not looked through to its end, where it was not. Nothing is removed then.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    incomplete: str = ""


class Source(Protocol):
    """Where documents come from: a folder, an archive, a web site. Its key tells it from others."""

    @property
    def key(self) -> str:
        """The source's path or address."""
        ...

    def find(self, report: IndexReport) -> AsyncIterator[Found]:
        """Yield the documents, telling the report what is skipped and what fails.

        Raises:
            NoDocuments: the source is missing or cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Let go of what was read. Documents that were found cannot be read any more, unless they are files."""
