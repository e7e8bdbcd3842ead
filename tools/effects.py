"""Marking what a tool does to the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from langchain_core.tools import BaseTool


def reads(tool: BaseTool) -> BaseTool:
    """Mark a tool as one that only reads: it may start while the plan is still being written, and be retried."""
    tool.metadata = {**(tool.metadata or {}), "effect": "read"}
    return tool


async def _always() -> str:
    return ""


def repeatable(tool: BaseTool, version: Callable[[], Awaitable[str]] = _always) -> BaseTool:
    """Mark a tool that reads, and whose result can be used again: answers made with it may be kept.

    Args:
        tool: the tool. Its result follows from its arguments, and from what it reads.
        version: tells what changes with anything that it reads; nothing by default, as of arithmetic.
    """
    tool = reads(tool)
    tool.metadata = {**(tool.metadata or {}), "version": version}
    return tool
