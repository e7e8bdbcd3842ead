"""What an export holds that has no equivalent here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Gap:
    """Something that could not be taken over as it was.

    Args:
        where: the object it belongs to.
        what: what it is.
        instead: what was done, or what can be done about it.
    """

    where: str
    what: str
    instead: str
