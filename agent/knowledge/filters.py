"""Which passages a search may find."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Filter:
    """Which passages a search may find. What is left empty does not matter.

    Args:
        collection: name of their collection.
        owner: finds this person's documents beside those that belong to nobody; when None, only the latter.
        sources: keys of their sources: paths and addresses, as they were indexed.
        kinds: formats of their documents, of `formats.KINDS`.
        since: when their documents were last changed at the earliest, in seconds since 1970.
        until: when at the latest.
    """

    collection: str = "default"
    owner: str | None = None
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None


def condition_of(where: Filter) -> tuple[str, list[str | float | None]]:
    """Return a filter as an SQL condition on `documents`, and its values."""
    condition, values = "collection = ? AND (owner IS NULL OR owner IS ?)", [where.collection, where.owner]
    bounds: list[str | float | None] = [*values]
    for column, wanted in (("source", where.sources), ("kind", where.kinds)):
        if wanted:
            condition += f" AND {column} IN ({', '.join('?' * len(wanted))})"
            bounds += wanted
    for comparison, moment in ((">=", where.since), ("<=", where.until)):
        if moment is not None:
            condition += f" AND ifnull(modified {comparison} ?, FALSE)"
            bounds.append(moment)
    return condition, bounds
