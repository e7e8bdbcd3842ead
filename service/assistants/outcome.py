"""How an export is taken over, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.assistants.gaps import Gap
from service.records.keys import LONGEST_OWNER


@dataclass(frozen=True)
class Wish:
    """How an export is taken over.

    Args:
        owner: whose the threads are.
        owner_from: key of a thread's metadata that says whose it is, before that.
        model: the model of the personas, as provider:name; the successor of each assistant's own when None.
    """

    owner: str
    owner_from: str | None = None
    model: str | None = None

    def owner_of(self, thread: Mapping[str, Any]) -> str:
        """Return whose a thread is."""
        metadata = thread.get("metadata")
        named = metadata.get(self.owner_from) if self.owner_from and isinstance(metadata, Mapping) else None
        return str(named)[:LONGEST_OWNER] if named else self.owner


@dataclass
class Imported:
    """What became of an export.

    Args:
        personas: the file of each persona, by the assistant's id.
        documents: how many documents are in each collection.
        threads: id of each thread here, by its id there.
        unchanged: what was there already, from an import before: persona files and threads.
        gaps: what has no equivalent.
        malformed: what could not be read, by place, with the reason.
    """

    personas: dict[str, str] = field(default_factory=dict)
    documents: dict[str, int] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    malformed: list[tuple[str, str]] = field(default_factory=list)
