"""Reading calls from a reply while it streams."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessageChunk, InvalidToolCall, ToolCall, ToolCallChunk

from agent.plain import plain
from agent.planning.plan import Call


class CallReader:
    """Gives each call of a streamed reply as soon as its arguments are whole, and all of them at its end.

    LangChain completes arguments that break off: of an amount of 100 it would make one of 10.

    Args:
        taken: ids of the thread's calls. Some servers leave ids out, or give those of an earlier reply again.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._drafts: list[_Draft] = []

    def feed(self, chunk: AIMessageChunk) -> Iterator[Call]:
        """Take the next chunk and yield the calls that it completes."""
        for part in chunk.tool_call_chunks:
            draft = self._draft_of(part)
            draft.name += part["name"] or ""
            draft.args += part["args"] or ""
            # Arguments are one object, so they can only be whole where a brace closes.
            if not draft.read and draft.args.endswith("}") and (args := _object(draft.args)) is not None:
                draft.read = True
                yield Call(draft.number, self._id_of(draft), draft.name, args)

    def calls(self) -> tuple[list[ToolCall], list[InvalidToolCall]]:
        """Return the calls of the whole reply, and those whose arguments are not a JSON object that can be stored."""
        calls: list[ToolCall] = []
        broken: list[InvalidToolCall] = []
        for draft in self._drafts:
            call_id, args = self._id_of(draft), _object(draft.args or "{}")
            if args is not None:
                calls.append(ToolCall(type="tool_call", id=call_id, name=draft.name, args=args))
            else:
                # It is sent to the model again, and there are servers that refuse what is no JSON.
                broken.append(
                    InvalidToolCall(type="invalid_tool_call", id=call_id, name=draft.name, args="{}", error=None)
                )
        return calls, broken

    def _draft_of(self, part: ToolCallChunk) -> _Draft:
        """Return the call that a part goes on with, or a new one: some servers count all calls as the first."""
        index, given = part["index"], part["id"] or ""
        for draft in reversed(self._drafts if index is not None else ()):
            if draft.index == index and (not given or draft.given in ("", given)):
                draft.given = given or draft.given
                return draft
        self._drafts.append(_Draft(len(self._drafts) + 1, index, given))
        return self._drafts[-1]

    def _id_of(self, draft: _Draft) -> str:
        if not draft.id:
            fresh = draft.given and draft.given not in self._taken
            draft.id = draft.given if fresh else f"call_{uuid.uuid4().hex[:16]}"
            self._taken.add(draft.id)
        return draft.id


@dataclass(slots=True)
class _Draft:
    number: int
    index: int | str | None
    given: str
    id: str = ""
    name: str = ""
    args: str = ""
    read: bool = False


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = plain(json.loads(text, strict=False))
    except (ValueError, RecursionError):  # what is not plain is a ValueError
        return None
    return value if isinstance(value, dict) else None
