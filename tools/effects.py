"""Marking what a tool does to the world."""

from __future__ import annotations

from langchain_core.tools import BaseTool


def reads(tool: BaseTool) -> BaseTool:
    """Mark a tool as one that only reads: it may start while the plan is still being written, and be retried."""
    tool.metadata = {**(tool.metadata or {}), "effect": "read"}
    return tool
