"""When OpenAI's models end, as it has announced: its deprecations page, as of November 2026."""

from __future__ import annotations

import re
from datetime import date

# By name, with or without the date of a snapshot behind it.
_ENDINGS = {
    "gpt-3.5-turbo": date(2026, 10, 23),
    "gpt-4": date(2026, 10, 23),
    "o4-mini": date(2026, 10, 23),
    "gpt-5": date(2026, 12, 11),
    "o3": date(2026, 12, 11),
    "gpt-4o": date(2027, 1, 14),
    "gpt-4.1": date(2027, 1, 14),
}
_SNAPSHOT = re.compile(r"-\d{4}(-\d\d-\d\d)?$")


def end_of(model: str) -> date | None:
    """Return when a model ends, where it is one of OpenAI's whose end is announced.

    Args:
        model: `provider:model`.
    """
    provider, _, name = model.partition(":")
    return _ENDINGS.get(_SNAPSHOT.sub("", name)) if provider == "openai" else None
