"""What an answer says beside facts: English phrases for asking back."""

from __future__ import annotations

import re

from agent.refusals import folded

_ASKS_BACK = re.compile(
    r"\?|\b(please|could you|can you|kindly) (tell|give|send|provide|share|specify|say|let)\b|\blet me know\b"
    r"|\bI (would )?need (to know|the|your|more)\b|\b(depends on|tell me) (which|what|your|the)\b",
    re.IGNORECASE,
)


def asks_back(answer: str) -> bool:
    """Whether an answer asks for what it lacks, in English or with a question mark."""
    return bool(_ASKS_BACK.search(folded(answer)))
