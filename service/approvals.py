"""Asking a person at the terminal about writes: the exact request, and what is to become of it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from agent.errors import SelfhelpError
from agent.untrusted import visible

Decision = dict[str, Any]

PROMPT = "[a]pprove, [e]dit, [r]eject, or [s]ay what its result is? "


class Undecided(SelfhelpError):
    """Writes that nobody decided on."""


def decide(actions: Sequence[dict[str, Any]], console: Console) -> list[Decision]:
    """Ask about each write in turn, and return the decisions.

    Args:
        actions: the writes, as the run asks about them.
        console: where to show them.

    Raises:
        Undecided: the person left.
    """
    return [_decided(action, f"{number} of {len(actions)}", console) for number, action in enumerate(actions, 1)]


def _decided(action: dict[str, Any], place: str, console: Console) -> Decision:
    title = f"{action['name']} ({place}) wants to change something"
    console.print(Panel(Text(visible(action["description"])), title=Text(title), border_style="yellow"))
    args = action["args"]
    while True:
        answer = _read(PROMPT).lower()
        if answer in {"a", "approve"}:
            changed = {"type": "edit", "edited_action": {"name": action["name"], "args": args}}
            return changed if args != action["args"] else {"type": "approve"}
        if answer in {"r", "reject"}:
            return {"type": "reject", "message": _read("Why? ")}
        if answer in {"s", "say"}:
            return {"type": "respond", "message": _read("Its result: ")}
        if answer in {"e", "edit"}:
            args = _edited(args, console)
            console.print(_difference(action["args"], args))


def _edited(args: Any, console: Console) -> Any:
    try:
        written = click.edit(_pretty(args), extension=".json")
    except click.ClickException as error:
        console.print(Text(f"The editor failed ({error}).", style="red"))
        return args
    if written is None:
        return args
    try:
        edited = json.loads(written)
    except ValueError as error:
        console.print(Text(f"That is no JSON ({error}), and was not taken.", style="red"))
        return args
    if not isinstance(edited, dict):
        console.print(Text("The arguments must be an object: {…}. That was not taken.", style="red"))
        return args
    return edited


def _difference(before: Any, after: Any) -> Text:
    """Return what an edit changed, line by line."""
    lines = difflib.unified_diff(_pretty(before).splitlines(), _pretty(after).splitlines(), lineterm="", n=100)
    text = Text()
    for line in list(lines)[3:]:
        style = {"+": "green", "-": "red"}.get(line[:1], "dim")
        text.append(f"{line}\n", style=style)
    return text or Text("nothing was changed", style="dim")


def _pretty(args: Any) -> str:
    return json.dumps(args, ensure_ascii=False, indent=2)


def _read(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except (EOFError, KeyboardInterrupt):
        raise Undecided("nothing was decided, and nothing was run: selfhelp approve goes on from here") from None
