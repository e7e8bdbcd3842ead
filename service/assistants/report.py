"""What became of an export, at the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from agent.untrusted import visible
from service.assistants.outcome import Imported


def show(imported: Imported, console: Console) -> None:
    """Show what became of an export, what has no equivalent, and what could not be read."""
    for file in imported.personas.values():
        _say(console, "persona", file)
    for collection, count in imported.documents.items():
        _say(console, "collection", f"{collection}, {count} documents")
    for there, here in imported.threads.items():
        _say(console, "thread", f"{there} is {here}")
    for what in imported.unchanged:
        _say(console, "as it was", what, style="dim")
    for gap in imported.gaps:
        _say(console, "no equivalent", f"{gap.where}: {gap.what}. {gap.instead}", style="yellow")
    for place, reason in imported.malformed:
        _say(console, "not read", f"{place}: {reason}", style="red")
    if not (imported.personas or imported.threads):
        _say(console, "nothing", "no assistant and no thread was found: name the folder that they were saved in")


def _say(console: Console, name: str, text: str, style: str = "bold") -> None:
    console.print(Text.assemble((name, style), f"  {visible(text)}"), soft_wrap=True)
