"""Tools for a server in another process: they write down that they ran, and wait for files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from langchain_core.language_models import FakeListChatModel
from langchain_core.tools import BaseTool, tool

from tools.effects import reads

FOLDER = Path(os.environ.get("TOOLS_FOLDER", "."))
INNER = "a token of another model"


def _write_down(line: str) -> None:
    with (FOLDER / "runs.log").open("a") as log:
        log.write(f"{line}\n")


@tool
def note(text: str) -> str:
    """Take a note."""
    _write_down(f"note {text}")
    return f"{text}+"


@reads
@tool
async def hang(text: str) -> str:
    """Wait to be let go."""
    await asyncio.to_thread((FOLDER / f"{text}.pid").write_text, str(os.getpid()))
    await asyncio.to_thread(_write_down, f"hang {text}")
    while not await asyncio.to_thread((FOLDER / f"{text}.go").exists):
        await asyncio.sleep(0.05)
    return f"{text}+"


@reads
@tool
async def ask_another_model(question: str) -> str:
    """Ask another model."""
    return str((await FakeListChatModel(responses=[INNER]).ainvoke(question)).text)


def tools() -> list[BaseTool]:
    """Return the tools, in which `settings.tools` finds them."""
    return [note, hang, ask_another_model]
