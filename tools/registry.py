"""The registry: every tool an assistant may call."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.tools import BaseTool

from agent.errors import SettingsError
from agent.run import LoadTools
from agent.settings import Settings
from agent.toolset import BoundTool
from tools.calculator import calculator
from tools.clock import clock
from tools.reply import reply


def loader(own: Sequence[BaseTool], knowledge: Any = None) -> LoadTools:
    """Return the function that gives an assistant its tools when its first run wants them.

    Args:
        own: tools handed to the assistant beside the built-in ones.
        knowledge: the documents to search; those of the settings where None.
    """

    async def load(settings: Settings) -> list[BoundTool]:
        configured = await asyncio.to_thread(lambda: [tool for path in settings.tools for tool in import_tools(path)])
        return [BoundTool(tool) for tool in (calculator, clock, *configured, *own, reply)]

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
