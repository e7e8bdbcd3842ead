"""A tool that tells whom a run acts for."""

from __future__ import annotations

from langchain_core.tools import tool

from agent.context import current
from tools.effects import reads


@reads
@tool
async def whose() -> str:
    """Tell whose documents are searched."""
    return f"owner {current.get().owner}"
