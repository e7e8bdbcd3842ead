"""What the configured APIs became."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from agent.errors import SettingsError
from agent.settings import Settings
from agent.toolset import BoundTool
from service.tool_sources import show, show_failure, write
from tools.openapi import Api, ApiFailed, load_api, refused, unset


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
            show_failure(wanted.name, error, console, as_json=as_json)
            continue
        if as_json:
            write(_facts(api, unset(wanted), refused(wanted, api.base_url)), console)
        else:
            skipped = (f"{each.operation}: {each.reason}" for each in api.skipped)
            show(api.name, api.base_url, api.tools, skipped, console)
            for name in unset(wanted):
                console.print(Text(f"  {name} is not set: its calls will fail", style="yellow"))
            if reason := refused(wanted, api.base_url):
                console.print(Text(f"  {reason}", style="yellow"), soft_wrap=True)
    return readable


def _facts(api: Api, missing: list[str], reason: str | None) -> dict[str, object]:
    tools = [
        {"name": tool.name, "effect": tool.effect, "operation": tool.operation, "honours_key": tool.honours_key}
        for tool in map(BoundTool, api.tools)
    ]
    skipped = [{"operation": each.operation, "reason": each.reason} for each in api.skipped]
    found = {"name": api.name, "base_url": api.base_url, "tools": tools, "skipped": skipped}
    return {**found, "unset": missing, "refused": reason}
