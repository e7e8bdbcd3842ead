"""Traffic on record: threads as they are exported, one in a line, with what each model call of a turn used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import SettingsError


@dataclass(frozen=True)
class Call:
    """What a model call used.

    Args:
        model: the model, as provider:model.
        input: tokens of the prompt.
        output: tokens of the reply.
        cached: those of the prompt that the provider had kept.
        cache_write: those of them that it kept from then on.
        cost: US dollars; None where they are not known.
    """

    model: str
    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    cost: float | None = None


@dataclass(frozen=True)
class Turn:
    """A question and the model calls that its answer took.

    Args:
        owner: whose it is.
        question: the question.
        first: whether it is the first of its thread.
        calls: the calls.
    """

    owner: str | None
    question: str
    first: bool
    calls: Sequence[Call]


Thread = Sequence[Turn]


def read(path: Path) -> list[Thread]:
    """Read exported threads.

    Args:
        path: a file with a thread as JSON in each line.

    Raises:
        SettingsError: it cannot be read, or a line is no thread.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return [_thread(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _thread(path: Path, number: int, line: str) -> Thread:
    try:
        exported = json.loads(line)
        return list(_turns(exported.get("owner"), exported["messages"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = "it is no JSON" if isinstance(error, json.JSONDecodeError) else f"{type(error).__name__}: {error}"
        raise SettingsError(
            f"{path}, line {number}, is no exported thread ({problem}): write each with `selfhelp threads export-all`"
        ) from None


def _turns(owner: str | None, messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    question, first = "", True
    for message in messages:
        if message["role"] == "user":
            question = message["text"]
        elif message["role"] == "assistant":
            calls = [_call(call) for call in (message.get("usage") or {}).get("calls", ())]
            yield Turn(owner, question, first, calls)
            first = False


def _call(call: Mapping[str, Any]) -> Call:
    counts = {name: int(call.get(name) or 0) for name in ("input", "output", "cached", "cache_write")}
    return Call(str(call["model"]), **counts, cost=call.get("cost"))
