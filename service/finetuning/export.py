"""Threads with good feedback become files: training examples, held-out ones, and where each comes from."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agent.checkpoints import open_checkpointer
from agent.errors import SelfhelpError, SettingsError
from agent.run import Assistant
from agent.settings import Settings
from graphs.assistant import build
from service.finetuning.chat import NotUsable
from service.finetuning.duplicates import near_duplicates, normalised
from service.finetuning.examples import Example, Examples
from service.finetuning.masking import Masking
from service.finetuning.selection import Wanted, liked_threads
from service.finetuning.validation import HELD_OUT
from service.records.database import open_database
from service.threads.history import History
from tools.registry import loader

TRAIN = "train.jsonl"
PROVENANCE = "provenance.jsonl"


class NothingLiked(SelfhelpError):
    """No thread has an answer that could be learnt from."""


@dataclass(frozen=True)
class Split:
    """How examples are divided.

    Args:
        held_out: the share that is kept for evaluation, from 0 to below 1.
        seed: another one divides them otherwise.
    """

    held_out: float = 0.1
    seed: int = 0


@dataclass
class Exported:
    """What was written, and what was not.

    Args:
        train: examples to train on.
        held_out: examples to evaluate with.
        duplicates: threads that say nearly what another one does, by id, with that other's id.
        skipped: threads that no example could be made of, by id, with the reason.
        masked: how many different things were masked, by what they are.
    """

    train: int = 0
    held_out: int = 0
    duplicates: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    masked: dict[str, int] = field(default_factory=dict)


async def export(settings: Settings, folder: Path, wanted: Wanted, split: Split, masking: Masking | None) -> Exported:
    """Write the examples of all owners' threads into a folder.

    Args:
        settings: the settings.
        folder: where to; it must not hold an export yet.
        wanted: which threads.
        split: how they are divided.
        masking: what personal data is looked for; None to leave it in.

    Raises:
        SettingsError: the folder cannot be written to, or holds an export.
        NothingLiked: there is nothing to write.
    """
    if existing := [name for name in (TRAIN, HELD_OUT, PROVENANCE) if await asyncio.to_thread((folder / name).exists)]:
        raise SettingsError(f"{folder} holds {existing[0]} already: name another folder")
    exported = Exported()
    examples = await _examples(settings, wanted, masking, exported)
    examples = _different(examples, exported)
    if not examples:
        raise NothingLiked(
            "no thread can be learnt from: people say what they think of an answer with the thumbs on the chat page"
            + "".join(f"\n{thread}: {reason}" for thread, reason in exported.skipped.items())
        )
    kept = held_out([example.question for example in examples], split)
    await asyncio.to_thread(_write, folder, examples, kept, exported)
    return exported


async def _examples(settings: Settings, wanted: Wanted, masking: Masking | None, exported: Exported) -> list[Example]:
    examples = []
    async with open_database(settings) as database, open_checkpointer(settings) as checkpointer:
        history = History(build(settings=settings, checkpointer=checkpointer), database)
        maker = Examples(database, history, Assistant(loader(()), settings=settings), masking)
        for thread in await liked_threads(database, wanted):
            try:
                if wanted.persona in (None, await maker.persona(thread)):
                    examples.append(await maker.example(thread))
            except (NotUsable, SettingsError) as reason:
                exported.skipped[thread.thread_id] = str(reason)
    return examples


def _different(examples: Sequence[Example], exported: Exported) -> list[Example]:
    """Return the examples without those that nearly say what another says. The one with the latest opinion stays."""
    dropped: set[int] = set()
    for earlier, later in near_duplicates([normalised(example.content) for example in examples]):
        if earlier not in dropped and later not in dropped:
            dropped.add(later)
            exported.duplicates[examples[later].thread_id] = examples[earlier].thread_id
    return [example for place, example in enumerate(examples) if place not in dropped]


def held_out(questions: Sequence[str], split: Split) -> set[int]:
    """Return the places of the examples that are kept for evaluation. The order of the examples plays no part.

    Args:
        questions: what the thread of each example begins with. Threads with the same one may be copies of each other,
            and stay together.
        split: how they are divided.
    """
    groups: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        groups.setdefault(normalised({"messages": [{"role": "user", "content": question}]}), []).append(place)
    shuffled = sorted(groups, key=lambda group: hashlib.sha256(f"{split.seed}:{group}".encode()).digest())
    wanted = round(len(questions) * split.held_out) or int(split.held_out > 0 and len(groups) > 1)
    kept: set[int] = set()
    for group in shuffled:
        # The last group may be a large one: it goes where it comes closer to the share that is wanted.
        if len(kept) + len(groups[group]) / 2 <= wanted and len(kept) + len(groups[group]) < len(questions):
            kept.update(groups[group])
    return kept


def _write(folder: Path, examples: Sequence[Example], kept: set[int], exported: Exported) -> None:
    lines: dict[str, list[str]] = {TRAIN: [], HELD_OUT: [], PROVENANCE: []}
    for place, example in enumerate(examples):
        file = HELD_OUT if place in kept else TRAIN
        line = json.dumps(example.content, ensure_ascii=False)
        lines[file].append(line)
        lines[PROVENANCE].append(json.dumps(_provenance(example, file, len(lines[file]), line), ensure_ascii=False))
        for label, count in example.masked.items():
            exported.masked[label] = exported.masked.get(label, 0) + count
    exported.train, exported.held_out = len(lines[TRAIN]), len(lines[HELD_OUT])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in lines.items():
            _write_file(folder / name, "".join(f"{line}\n" for line in content))
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written to: {error.strerror}") from None


def _provenance(example: Example, file: str, number: int, line: str) -> dict[str, Any]:
    return {
        "file": file,
        "line": number,
        "sha256": hashlib.sha256(line.encode()).hexdigest(),
        "thread": example.thread_id,
        "persona": example.persona,
        "answers": [
            {
                "message": opinion.message_id,
                "thumb": opinion.thumb,
                "corrected": bool(opinion.correction.strip()),
                "at": datetime.fromtimestamp(opinion.at, UTC).isoformat(timespec="seconds"),
            }
            for opinion in example.opinions
        ],
        "masked": example.masked,
        "turns_left_out": example.left_out,
        "selfhelp": version("selfhelp"),
    }


def _write_file(path: Path, text: str) -> None:
    """Write a file that only its owner may read: it holds what people said."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
