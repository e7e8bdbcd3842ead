"""The few tools of large catalogues that a turn needs, so that an API of a thousand operations costs a short prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from threading import Lock

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from agent.knowledge.words import telling
from agent.state import turn_of
from agent.tool_search import LONGEST_QUESTION, ToolSearch
from agent.toolset import BoundTool, Toolset

Find = Callable[[str], list[str]]

FINDER = "find_tools"
_FINDS = (
    "Finds tools that are not listed here, of which there are many more. Ask for it alone when the tools here cannot "
    "do what is wanted; what it finds can be called in the next reply."
)
# How many tools it finds.
_FOUND = 8
# A question with fewer words to look up, such as "and cancel it", is read together with the one before.
_FEWEST_WORDS = 3
# How many sets of tools, such as those of several personas, to keep ready.
_MOST_SEARCHES = 8


class _Purpose(BaseModel):
    purpose: str = Field(description="What the tool does, in the words of its documentation.")


class Catalogues:
    """Chooses from the tools of catalogues; those of no catalogue stay. Event loops may share it."""

    def __init__(self) -> None:
        self._searches: dict[tuple[str, ...], ToolSearch] = {}
        self._lock = Lock()

    async def fitting(self, tools: Toolset, messages: Sequence[AnyMessage], most: int) -> Toolset:
        """Return the tools to show in a turn, in their order: the same throughout the turn.

        What a deployment wants shown always is shown, and what the thread called before may take half of the room
        that is left. The rest goes to what fits the person's question best. A tool that finds others goes with them;
        what it finds is shown behind it for the rest of the turn.

        Args:
            tools: the tools of the run.
            messages: the thread.
            most: how many tools of catalogues to show.
        """
        listed = [tool for tool in tools if tool.catalogue]
        if len(listed) <= most:
            return tools
        find = partial(self._ranked, listed)
        turn = turn_of(messages)
        before = messages[: len(messages) - len(turn)]
        kept = await asyncio.to_thread(_kept, tools, before, most, find)
        finder = BoundTool(_finder(tools, find))
        # A plan must find its tools, whatever servers have come up since it was made.
        later = [*await asyncio.to_thread(_found, turn, find), *_called(turn)]
        added = [
            tool for name in dict.fromkeys(later) if name not in kept and (tool := tools.get(name)) and tool.catalogue
        ]
        return Toolset([*(tool for tool in tools if not tool.catalogue or tool.name in kept), finder, *added])

    def _ranked(self, tools: Sequence[BoundTool], question: str) -> list[str]:
        names = tuple(tool.name for tool in tools)
        with self._lock:
            if names not in self._searches:
                if len(self._searches) == _MOST_SEARCHES:
                    del self._searches[next(iter(self._searches))]
                self._searches[names] = ToolSearch(tools)
            search = self._searches[names]
        return search.ranked(question)


def _kept(tools: Toolset, messages: Sequence[AnyMessage], most: int, find: Find) -> set[str]:
    """Return the names of the tools of catalogues that fit a thread which ends in a person's question."""
    kept = {tool.name for tool in tools if tool.catalogue and tool.always}
    called = [tool for name in _called(messages) if (tool := tools.get(name)) and tool.catalogue]
    _fill(kept, called, len(kept) + (most - len(kept)) // 2, tools)
    if len(kept) < most and (question := _question(messages)):
        _fill(kept, filter(None, map(tools.get, find(question))), most, tools)
    return kept


def _finder(tools: Toolset, find: Find) -> BaseTool:
    async def found(purpose: str) -> list[str]:
        names = await asyncio.to_thread(find, purpose)
        return [f"{tool.name}: {tool.summary}" for tool in map(tools.get, names[:_FOUND]) if tool]

    return StructuredTool.from_function(
        coroutine=found, name=FINDER, description=_FINDS, args_schema=_Purpose, metadata={"effect": "read"}
    )


def _found(turn: Sequence[AnyMessage], find: Find) -> list[str]:
    """Return the names of the tools that the turn has looked for, as they were found."""
    looked_for = [call["args"] for message in turn for call in _calls(message) if call["name"] == FINDER]
    return [name for args in looked_for for name in find(str(args.get("purpose", "")))[:_FOUND]]


def _fill(kept: set[str], candidates: Iterable[BoundTool], most: int, tools: Toolset) -> None:
    """Add tools in their order while there is room, each with the one that undoes it."""
    for tool in candidates:
        if len(kept) >= most:
            return
        wanted = {tool.name, *([tool.undo] if tool.undo and tools.get(tool.undo) else [])}
        if len(kept | wanted) <= most:
            kept |= wanted


def _called(messages: Sequence[AnyMessage]) -> Iterator[str]:
    """Yield the names of the tools that were called, the latest first."""
    for message in reversed(messages):
        yield from (call["name"] for call in reversed(_calls(message)))


def _calls(message: AnyMessage) -> list[ToolCall]:
    return message.tool_calls if isinstance(message, AIMessage) else []


def _question(messages: Sequence[AnyMessage]) -> str:
    """Return what the last person's message asks, with those before it that it needs to be understood."""
    question = ""
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            question = f"{message.text[:LONGEST_QUESTION]}\n{question}".strip()
            if len(telling(question)) >= _FEWEST_WORDS:
                break
    return question
