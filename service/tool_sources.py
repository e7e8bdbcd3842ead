"""What a source of tools became, an API or an MCP server, at the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from langchain_core.tools import BaseTool
from rich.console import Console
from rich.text import Text

from agent.toolset import BoundTool
from agent.untrusted import visible
from service.console import counted

_STYLES = {"read": "green", "write": "yellow"}


def show(name: str, place: str, tools: Sequence[BaseTool], skipped: Iterable[str], console: Console) -> None:
    """Show what a source of tools became.

    Args:
        name: its name.
        place: where it is.
        tools: its tools.
        skipped: what became no tool, and why.
        console: where to show it.
    """
    left_out = list(skipped)
    count = f"  {counted(len(tools), 'tool')}, {len(left_out)} skipped"
    console.print(Text.assemble((name, "bold"), f"  {visible(place)}", (count, "dim")), soft_wrap=True)
    for tool in map(BoundTool, tools):
        effect = (f"  {tool.effect:5} ", _STYLES[tool.effect])
        console.print(Text.assemble(effect, tool.name, (f"  {visible(tool.operation)}", "dim")), soft_wrap=True)
    for each in left_out:
        console.print(Text.assemble(("  skipped ", "yellow"), visible(each)), soft_wrap=True)


def show_failure(name: str, error: Exception, console: Console, *, as_json: bool) -> None:
    """Show why there is nothing of a source of tools."""
    if as_json:
        write({"name": name, "error": str(error)}, console)
    else:
        console.print(Text.assemble((f"{name}: ", "bold"), (visible(str(error)), "red")), soft_wrap=True)


def write(facts: dict[str, object], console: Console) -> None:
    """Write the facts of a source of tools as a line of JSON."""
    console.file.write(json.dumps(facts, ensure_ascii=False) + "\n")
