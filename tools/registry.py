"""The registry: every tool an assistant may call."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool

from agent.errors import SettingsError
from agent.knowledge.location import is_there
from agent.run import LoadTools
from agent.settings import Settings
from agent.toolset import SEARCH, BoundTool
from tools.calculator import calculator
from tools.clock import clock
from tools.reply import reply
from tools.search import search_tool

if TYPE_CHECKING:
    from agent.knowledge.base import KnowledgeBase
    from tools.mcp import Servers

log = logging.getLogger(__name__)

LONGEST_NAME = 64


def loader(own: Sequence[BaseTool], knowledge: KnowledgeBase | None = None) -> LoadTools:
    """Return the function that gives an assistant its tools. They are found once, at its first run.

    An MCP server that is not there then is tried again at later ones.

    Args:
        own: tools handed to the assistant beside the built-in ones.
        knowledge: the documents to search; those of the settings where None.

    Raises:
        SettingsError: one of the tools is none.
    """
    for tool in own:
        _check(tool, "tools")
    bound: list[BoundTool] = []
    servers: Servers | None = None

    async def load(settings: Settings) -> list[BoundTool]:
        nonlocal bound, servers
        if not bound:
            fixed = [BoundTool(tool) for tool in await _fixed_tools(settings, own, knowledge)]
            # Another run may have been quicker.
            bound = bound or fixed
        elif not _has_search(bound):
            # The first document may have come since, and another run may have been quicker here too.
            search = await asyncio.to_thread(_search, settings, knowledge)
            bound = bound if _has_search(bound) else [*map(BoundTool, search), *bound]
        if settings.mcp:
            # What MCP needs takes a second to import.
            mcp = await asyncio.to_thread(importlib.import_module, "tools.mcp")
            servers = servers or mcp.Servers(settings.mcp)
            come_up = await servers.come_up()
            taken = {tool.name for tool in bound}
            added = [BoundTool(tool) for server in come_up for tool in _renamed(server.tools, server.name, taken)]
            bound = [*bound, *added]
        return bound

    return load


async def _fixed_tools(settings: Settings, own: Sequence[BaseTool], knowledge: KnowledgeBase | None) -> list[BaseTool]:
    configured = await asyncio.to_thread(lambda: [tool for path in settings.tools for tool in import_tools(path)])
    search = await asyncio.to_thread(_search, settings, knowledge)
    built_in = [*search, calculator, clock, *configured, *own, reply]
    return [*built_in, *await api_tools(settings, {tool.name for tool in built_in})]


async def api_tools(settings: Settings, taken: Collection[str]) -> list[BaseTool]:
    """Return the tools of the APIs that the settings name. One that cannot be read is logged, and the others go on.

    Args:
        settings: the settings.
        taken: names of other tools. One of an API that has such a name gets the API's name in front.
    """
    if not settings.apis:
        return []
    # What OpenAPI needs takes half a second to import.
    from tools.openapi import ApiFailed, load_api

    tools: list[BaseTool] = []
    names = set(taken)
    for api in settings.apis:
        try:
            loaded = await load_api(api)
        except ApiFailed as error:
            log.error("the API %s is left out: %s", api.name, error)  # noqa: TRY400 - its message says it all
            continue
        tools += _renamed(loaded.tools, api.name, names)
    return tools


def _renamed(tools: Iterable[BaseTool], source: str, taken: set[str]) -> Iterator[BaseTool]:
    """Yield the tools of a source, with its name in front where a name is taken, and add their names to those."""
    of_source = list(tools)
    others = {*taken, *(tool.name for tool in of_source)}
    names = {tool.name: _free(f"{source}_{tool.name}", others) for tool in of_source if tool.name in taken}
    for tool in of_source:
        undo = (tool.metadata or {}).get("undo")
        if undo in names:
            tool.metadata = {**(tool.metadata or {}), "undo": names[undo]}
        tool.name = names.get(tool.name, tool.name)
        taken.add(tool.name)
        yield tool


def _free(name: str, taken: Collection[str]) -> str:
    """Return a name that a model accepts and no other tool has: with a digest where it is too long or taken."""
    if len(name) <= LONGEST_NAME and name not in taken:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - len(digest) - 1]}_{digest}"


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
        found = _given(found, path)
    for tool in found if isinstance(found, list | tuple) else [found]:
        _check(tool, f"tools: {path!r}")
        yield tool


def _check(tool: object, where: str) -> None:
    if not isinstance(tool, BaseTool):
        name = getattr(tool, "__name__", type(tool).__name__)
        raise SettingsError(f"{where}: {name} is not a LangChain tool: decorate it with @tool")


def _given(function: Callable[[], Any], path: str) -> Any:
    """Call a function that gives tools."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        raise SettingsError(f"tools: {path!r} takes arguments, as a tool does: decorate it with @tool") from None
    return function()


def _has_search(bound: Iterable[BoundTool]) -> bool:
    return any(tool.name == SEARCH for tool in bound)


def _search(settings: Settings, knowledge: KnowledgeBase | None) -> list[BaseTool]:
    """Return the search tool where there is something to search."""
    if knowledge is None and not is_there(settings):
        return []

    async def base() -> KnowledgeBase:
        if knowledge is not None:
            return knowledge
        # What documents need takes a while to import.
        library = await asyncio.to_thread(importlib.import_module, "agent.knowledge.library")
        opened: KnowledgeBase = await library.open_knowledge(settings)
        return opened

    return [search_tool(base)]
