"""The search tool: passages of the company's documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from langchain_core.tools import BaseTool, tool

from agent.context import Context, current
from agent.knowledge.filters import Filter
from agent.state import Passage
from tools.effects import repeatable

if TYPE_CHECKING:
    from agent.knowledge.base import KnowledgeBase


def search_tool(knowledge: Callable[[], Awaitable[KnowledgeBase]]) -> BaseTool:
    """Return the tool that searches a knowledge base, as the context of the run that calls it wants.

    Args:
        knowledge: gives the knowledge base, each time there is a search.
    """

    def where() -> Filter:
        context = current.get(None) or Context()
        return Filter(collection=context.collection, owner=context.owner)

    @tool(parse_docstring=True)
    async def search(query: str) -> list[Passage]:
        """Search the company's documents for passages.

        Args:
            query: the few words that the passage would contain
        """
        context = current.get(None) or Context()
        base = await knowledge()
        return await base.search(
            query, k=context.top_k, where=where(), neighbours=context.neighbours, tokens=context.passage_tokens
        )

    async def version() -> str:
        return await (await knowledge()).version(where())

    return repeatable(search, version)
