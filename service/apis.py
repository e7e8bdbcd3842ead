"""What the configured APIs became."""

from __future__ import annotations

import json

from rich.console import Console
from rich.text import Text

from agent.errors import SettingsError
from agent.settings import Settings
from agent.toolset import BoundTool
from agent.untrusted import visible
from tools.openapi import Api, ApiFailed, load_api

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
            console.print(Text.assemble((f"{wanted.name}: ", "bold"), (str(error), "red")), soft_wrap=True)
            continue
        if as_json:
            console.file.write(json.dumps(_facts(api), ensure_ascii=False) + "\n")
        else:
            _show(api, console)
    return readable


def _facts(api: Api) -> dict[str, object]:
    tools = [
        {"name": tool.name, "effect": tool.effect, "operation": tool.operation, "honours_key": tool.honours_key}
        for tool in map(BoundTool, api.tools)
    ]
    skipped = [{"operation": each.operation, "reason": each.reason} for each in api.skipped]
    return {"name": api.name, "base_url": api.base_url, "tools": tools, "skipped": skipped}


def _show(api: Api, console: Console) -> None:
    counted = f"  {len(api.tools)} tools, {len(api.skipped)} skipped"
    console.print(Text.assemble((api.name, "bold"), f"  {visible(api.base_url)}", (counted, "dim")), soft_wrap=True)
    for tool in map(BoundTool, api.tools):
        effect = (f"  {tool.effect:5} ", _STYLES[tool.effect])
        console.print(Text.assemble(effect, tool.name, (f"  {tool.operation}", "dim")), soft_wrap=True)
    for each in api.skipped:
        console.print(
            Text.assemble(("  skipped ", "yellow"), visible(f"{each.operation}: {each.reason}")), soft_wrap=True
        )
