"""What LangGraph's checkpointers keep of tasks under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.checkpoint.base import WRITES_IDX_MAP
from langgraph.checkpoint.serde.types import ERROR

_WHAT_BECAME_OF_IT = {*WRITES_IDX_MAP, "__error_source_node__"}


def settled(writes: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    """Return what is to be kept of a task's writes: of one that was cut off, only what became of it.

    LangGraph hands over the part of an update too that such a task had come to, such as messages without the edge that
    follows them. Whoever went on with the run would take the task for done, and its thread for answered.

    Args:
        writes: channels and values.
    """
    if all(channel != ERROR for channel, _ in writes):
        return writes
    return [write for write in writes if write[0] in _WHAT_BECAME_OF_IT]
