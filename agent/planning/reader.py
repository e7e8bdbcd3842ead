"""Reading calls from a reply while it streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessageChunk

from agent.plain import plain
from agent.planning.plan import Call


class CallReader:
    """Gives each call of a streamed reply as soon as its arguments are whole."""

    def __init__(self) -> None:
        self._drafts: dict[int | str | None, _Draft] = {}

    def feed(self, chunk: AIMessageChunk) -> Iterator[Call]:
        """Take the next chunk and yield the calls that it completes."""
        for part in chunk.tool_call_chunks:
            draft = self._drafts.setdefault(part["index"], _Draft(number=len(self._drafts) + 1))
            draft.id += part["id"] or ""
            draft.name += part["name"] or ""
            draft.args += part["args"] or ""
            # Arguments are one object, so they can only be whole where a brace closes.
            if not draft.read and draft.args.endswith("}") and (args := _object(draft.args)) is not None:
                draft.read = True
                yield Call(draft.number, draft.id, draft.name, args)


@dataclass(slots=True)
class _Draft:
    number: int
    id: str = ""
    name: str = ""
    args: str = ""
    read: bool = False


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = plain(json.loads(text))
    except (ValueError, RecursionError):  # what is not plain is a ValueError
        return None
    return value if isinstance(value, dict) else None
