"""What the configured APIs became."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from langchain_core.tools import BaseTool
from rich.console import Console
from rich.text import Text

from agent.errors import SettingsError
from agent.settings import Settings
from agent.toolset import BoundTool
from agent.untrusted import visible
from service.console import counted
from tools.openapi import Api, ApiFailed, load_api, refused, unset

_STYLES = {"read": "green", "write": "yellow"}


async def check(settings: Settings, console: Console, *, as_json: bool) -> bool:
    """Read each API's document and show its tools. Returns whether all could be read.

    Raises:
        SettingsError: no API is set.
    """
    if not settings.apis:
        raise SettingsError("no API is set: add [[apis]] with name and spec to selfhelp.toml")
    readable = True
    for wanted in settings.apis:
        try:
            api = await load_api(wanted)
        except ApiFailed as error:
            readable = False
            if as_json:
                _write({"name": wanted.name, "error": str(error)}, console)
            else:
                console.print(Text.assemble((f"{wanted.name}: ", "bold"), (str(error), "red")), soft_wrap=True)
            continue
        if as_json:
            _write(_facts(api, unset(wanted), refused(wanted, api.base_url)), console)
        else:
            show(
                api.name, api.base_url, api.tools, (f"{each.operation}: {each.reason}" for each in api.skipped), console
            )
            for name in unset(wanted):
                console.print(Text(f"  {name} is not set: its calls will fail", style="yellow"))
            if reason := refused(wanted, api.base_url):
                console.print(Text(f"  {reason}", style="yellow"), soft_wrap=True)
    return readable


def _write(facts: dict[str, object], console: Console) -> None:
    console.file.write(json.dumps(facts, ensure_ascii=False) + "\n")


def _facts(api: Api, missing: list[str], reason: str | None) -> dict[str, object]:
    tools = [
        {"name": tool.name, "effect": tool.effect, "operation": tool.operation, "honours_key": tool.honours_key}
        for tool in map(BoundTool, api.tools)
    ]
    skipped = [{"operation": each.operation, "reason": each.reason} for each in api.skipped]
    found = {"name": api.name, "base_url": api.base_url, "tools": tools, "skipped": skipped}
    return {**found, "unset": missing, "refused": reason}


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
