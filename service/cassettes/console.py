"""Recording and replaying on the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agent.context import Context
from agent.settings import Settings
from agent.untrusted import visible
from service.approvals import decide
from service.cassettes.cassette import Cassette, read, write
from service.cassettes.recording import record
from service.cassettes.replaying import Difference, replay
from service.chat import prepare
from service.console import TurnView
from service.conversation import Answer, Event, Question

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def record_conversation(
    settings: Settings, context: Context, path: Path, questions: Sequence[str], console: Console, *, as_json: bool
) -> None:
    """Ask questions, show the answers, and write a cassette once all of them are there.

    Args:
        settings: the settings.
        context: how the turns run.
        path: the cassette.
        questions: the questions.
        console: where to show it.
        as_json: whether to print what was recorded as JSON; the answers then go to standard error.
    """
    aside = Console(stderr=True, highlight=False) if as_json else console

    async def show(events: AsyncIterator[Event]) -> Answer | Question:
        return await TurnView(aside).show(events)

    async def recorded() -> Cassette:
        await prepare(settings, context, quiet=as_json)
        return await record(settings, context, questions, lambda actions: decide(actions, aside), show)

    cassette = asyncio.run(recorded())
    write(cassette, path, settings)
    facts = _counted(cassette)
    if as_json:
        console.file.write(json.dumps({"cassette": str(path), **facts}, ensure_ascii=False) + "\n")
    else:
        console.print(Text(f"{path}: {_in_words(facts)}", style="dim"), soft_wrap=True)


def replay_cassettes(settings: Settings, paths: Sequence[Path], console: Console, *, as_json: bool) -> bool:
    """Replay cassettes and show what differs. Returns whether nothing does.

    Args:
        settings: the settings.
        paths: the cassettes.
        console: where to show it.
        as_json: whether to print one line of JSON for each.
    """
    cassettes = [(path, read(path)) for path in paths]
    same = True
    for path, cassette in cassettes:
        facts = _counted(cassette)
        differences = asyncio.run(replay(cassette, settings))
        same = same and not differences
        if as_json:
            told: dict[str, Any] = {"cassette": str(path), **facts, "differences": list(map(asdict, differences))}
            console.file.write(json.dumps(told, ensure_ascii=False) + "\n")
        elif differences:
            console.print(Text.assemble(("✗ ", "red"), f"{path} differs from what was recorded"), soft_wrap=True)
            for difference in differences:
                console.print(_shown(difference), soft_wrap=True)
        else:
            console.print(Text.assemble(("✓ ", "green"), f"{path}  ", (_in_words(facts), "dim")), soft_wrap=True)
    return same


def _counted(cassette: Cassette) -> dict[str, int]:
    return {
        "turns": len(cassette.turns),
        "model_calls": sum(len(turn.requests) for turn in cassette.turns),
        "tool_calls": sum(len(turn.calls) for turn in cassette.turns),
    }


def _in_words(facts: dict[str, int]) -> str:
    counted = ((number, name.replace("_", " ").removesuffix("s")) for name, number in facts.items())
    return ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for number, name in counted)


def _shown(difference: Difference) -> Text:
    text = Text(f"\n{visible(difference.what)}\n", style="bold")
    for line in difference.diff.splitlines():
        text.append(f"{visible(line)}\n", style=_STYLES.get(line[:1], "not bold"))
    return text
