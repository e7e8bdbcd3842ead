"""A saved export of OpenAI's Assistants API: the objects in its files, whatever they are called.

There never was one format. Object dumps (`{"object": "assistant", …}`), pages (`{"object": "list", "data": […]}`), one
object on each line (JSONL), and objects within others (`{"thread": …, "messages": …}`) are all read: each object says
itself what it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import SettingsError
from agent.plain import NotPlain, plain

MOST_DEPTH = 12
MOST_BYTES = 512 * 1024 * 1024
_YEAR_10000 = 253_402_300_800

_KINDS = {
    "assistant": "assistants",
    "thread": "threads",
    "thread.message": "messages",
    "thread.run": "runs",
    "thread.run.step": "steps",
    "file": "files",
    "vector_store.file": "stored",
}
# Objects that hold others by a list of theirs, or that nothing is taken of.
_PASSED = ("list", "vector_store", "vector_store.file_batch", "assistant.deleted", "thread.deleted")

Object = Mapping[str, Any]


@dataclass
class Dump:
    """The objects of an export by id, and its other files.

    Args:
        assistants: the assistants.
        threads: the threads; one that is only named by its messages is among them too.
        messages: the messages of threads.
        runs: the runs of threads.
        steps: the steps of runs.
        files: what is known of files.
        stored: files in vector stores.
        contents: files of the export that hold no objects.
        malformed: what could not be read, by place, with the reason.
    """

    assistants: dict[str, Object] = field(default_factory=dict)
    threads: dict[str, Object] = field(default_factory=dict)
    messages: dict[str, Object] = field(default_factory=dict)
    runs: dict[str, Object] = field(default_factory=dict)
    steps: dict[str, Object] = field(default_factory=dict)
    files: dict[str, Object] = field(default_factory=dict)
    stored: dict[str, Object] = field(default_factory=dict)
    contents: list[Path] = field(default_factory=list)
    malformed: list[tuple[str, str]] = field(default_factory=list)


def read_dump(path: Path) -> Dump:
    """Read an export. Call it in a thread from async code.

    Args:
        path: a folder, or a file of JSON or JSONL.

    Raises:
        SettingsError: there is no such thing.
    """
    if not path.exists():
        raise SettingsError(f"there is no file or folder {path}: name the export")
    dump = Dump()
    for file in sorted(_files(path, dump)):
        name = str(file.relative_to(path)) if file != path else file.name
        if file.suffix.lower() not in (".json", ".jsonl") or not _read(file, name, dump):
            dump.contents.append(file)
    for message in (*dump.messages.values(), *dump.runs.values()):
        dump.threads.setdefault(str(message["thread_id"]), {"id": message["thread_id"], "object": "thread"})
    return dump


def listed(value: object) -> list[Object]:
    """Return the objects in what should be a list of them."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Return the texts in what should be a list of them."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def created(found: Object) -> float:
    """Return when an object was made, as a Unix time; 0 where what it says is no time."""
    at = found.get("created_at")
    return float(at) if isinstance(at, int | float) and 0 <= at < _YEAR_10000 else 0.0


def _files(path: Path, dump: Dump) -> Iterator[Path]:
    """Yield the files of an export. Links are not followed: they may lead out of it."""
    if not path.is_dir():
        yield path
        return
    for entry in path.rglob("*"):
        if entry.is_symlink():
            dump.malformed.append((str(entry.relative_to(path)), "it is a link, which is not followed"))
        elif entry.is_file() and not any(parent.is_symlink() for parent in entry.relative_to(path).parents):
            yield entry


def _read(file: Path, name: str, dump: Dump) -> bool:
    """Read the objects of a file, and return whether it holds any, or is meant to."""
    if file.stat().st_size > MOST_BYTES:
        dump.malformed.append((name, f"it is larger than {MOST_BYTES // 1024**2} MB"))
        return True
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        dump.malformed.append((name, f"it cannot be read: {error}"))
        return True
    try:
        parts = [(name, json.loads(text))]
    except (ValueError, RecursionError) as error:
        if file.suffix.lower() == ".json":
            # A document in JSON is no object of the API; one that names them is a broken dump.
            if '"object"' not in text:
                return False
            dump.malformed.append((name, f"it is not valid JSON: {error}"))
            return True
        parts = list(_lines(text, name, dump))
    found = [_collect(value, {}, place, dump, 0) for place, value in parts]
    return any(found)


def _lines(text: str, name: str, dump: Dump) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield f"{name}:{number}", json.loads(line)
        except (ValueError, RecursionError) as error:
            dump.malformed.append((f"{name}:{number}", f"it is not valid JSON: {error}"))


def _collect(value: Any, around: Object, place: str, dump: Dump, depth: int) -> bool:
    """Collect the objects in a JSON value, and return whether there are any.

    Args:
        value: the value.
        around: the thread and the run that it stands in, for objects that do not name theirs.
        place: where it stands, for complaints.
        dump: takes the objects.
        depth: how far in it stands.
    """
    if depth > MOST_DEPTH:
        return False
    if isinstance(value, list):
        found = [_collect(item, around, place, dump, depth + 1) for item in value]
        return any(found)
    if not isinstance(value, dict):
        return False
    kind = value.get("object")
    known = isinstance(kind, str) and (kind in _KINDS or kind in _PASSED)
    if isinstance(kind, str) and kind in _KINDS:
        _take(_KINDS[kind], {**around, **value}, place, dump)
    if kind == "thread.run.step":  # its calls are read as they are
        return True
    inner = {**around, **_named(value)}
    found = [_collect(item, inner, place, dump, depth + 1) for item in value.values()]
    return known or any(found)


def _named(value: Object) -> dict[str, Any]:
    """Return the thread and run that objects within a value belong to."""
    thread = value.get("thread")
    if value.get("object") == "thread":
        return {"thread_id": value.get("id")}
    if isinstance(thread, dict) and isinstance(thread.get("id"), str):
        return {"thread_id": thread["id"]}
    named = {key: value[key] for key in ("thread_id", "run_id") if isinstance(value.get(key), str)}
    return named | ({"run_id": value.get("id")} if value.get("object") == "thread.run" else {})


def _take(group: str, found: Object, place: str, dump: Dump) -> None:
    needed = {"messages": ("thread_id", "role"), "runs": ("thread_id",), "steps": ("run_id",)}.get(group, ())
    missing = [key for key in ("id", *needed) if not isinstance(found.get(key), str) or not found[key]]
    if missing:
        dump.malformed.append((place, f"one of the {group} has no {' and no '.join(missing)}"))
        return
    try:
        kept = plain(found)
    except NotPlain as error:
        dump.malformed.append((place, f"one of the {group} cannot be kept: {error}"))
        return
    getattr(dump, group)[kept["id"]] = kept
