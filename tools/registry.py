"""The registry: every tool an assistant may call."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator, Sequence

from langchain_core.tools import BaseTool

from agent.errors import SettingsError
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.library import is_there, open_knowledge
from agent.run import LoadTools
from agent.settings import Settings
from agent.toolset import BoundTool
from tools.calculator import calculator
from tools.clock import clock
from tools.reply import reply
from tools.search import search_tool


def loader(own: Sequence[BaseTool], knowledge: KnowledgeBase | None = None) -> LoadTools:
    """Return the function that gives an assistant its tools when its first run wants them.

    Args:
        own: tools handed to the assistant beside the built-in ones.
        knowledge: the documents to search; those of the settings where None.
    """

    async def load(settings: Settings) -> list[BoundTool]:
        configured = await asyncio.to_thread(lambda: [tool for path in settings.tools for tool in import_tools(path)])
        search = await asyncio.to_thread(_search, settings, knowledge)
        return [BoundTool(tool) for tool in (*search, calculator, clock, *configured, *own, reply)]

    return load


def import_tools(path: str) -> Iterator[BaseTool]:
    """Yield the tools that `module:attribute` names: one tool, a list of them, or a function that gives either.

    Raises:
        SettingsError: there is no such thing, or it is no tool.
    """
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"tools: {path!r} cannot be loaded: {error}. Write module:attribute") from None
    if callable(found) and not isinstance(found, BaseTool):
        found = found()
    for tool in found if isinstance(found, list | tuple) else [found]:
        if not isinstance(tool, BaseTool):
            raise SettingsError(
                f"tools: {path!r} gives {type(tool).__name__}, not a LangChain tool: decorate it with @tool"
            )
        yield tool


def _search(settings: Settings, knowledge: KnowledgeBase | None) -> list[BaseTool]:
    """Return the search tool where there is something to search."""
    if knowledge is None and not is_there(settings):
        return []

    async def base() -> KnowledgeBase:
        return knowledge or await open_knowledge(settings)

    return [search_tool(base)]
