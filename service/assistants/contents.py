"""The files of an export: which content belongs to which, and copies of them that can be indexed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.assistants.dump import Dump, listed, texts
from service.uploads import safe_name


@dataclass(frozen=True)
class Content:
    """A file whose content is in the export.

    Args:
        id: its id.
        name: its name, without folders.
        path: where the content is.
    """

    id: str
    name: str
    path: Path


def contents_of(dump: Dump) -> dict[str, Content]:
    """Return the files whose content is in the export, by id. One that has no record has its path's name as its id.

    The content of a file is looked for among the files that are there: named like its id, below a folder of that name,
    or named like itself. No name that stands in the export is ever made a path.
    """
    found: dict[str, Content] = {}
    for file_id, record in dump.files.items():
        name = safe_name(str(record.get("filename") or "")) or safe_name(file_id)
        if path := next(_fitting(dump.contents, file_id, name), None):
            found[file_id] = Content(file_id, name, path)
    taken = {content.path for content in found.values()}
    for path in dump.contents:
        if path not in taken:
            file_id = path.stem if path.stem.startswith("file-") else path.name
            found.setdefault(file_id, Content(file_id, safe_name(path.name), path))
    return found


def _fitting(paths: Iterable[Path], file_id: str, name: str) -> Iterator[Path]:
    """Yield the paths that may be a file's, the surest first."""
    paths = list(paths)
    yield from (path for path in paths if file_id in (path.stem, path.name))
    yield from (path for path in paths if path.parent.name == file_id)
    yield from (path for path in paths if path.name.startswith((f"{file_id}_", f"{file_id}-", f"{file_id}.")))
    yield from (path for path in paths if path.name == name)


def copy_into(folder: Path, contents: Iterable[Content]) -> dict[str, str]:
    """Copy files into a folder of their own, each under its name, and return those names by id.

    Args:
        folder: the folder. Files of two that have the same name get their ids in front.
        contents: the files.
    """
    names: dict[str, str] = {}
    for content in sorted(contents, key=lambda content: content.id):
        name = content.name if content.name not in names.values() else safe_name(f"{content.id}-{content.name}")
        names[content.id] = name
    if names:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for content in contents:
        shutil.copyfile(content.path, folder / names[content.id])
    return names


def files_of(assistant: Mapping[str, Any], dump: Dump) -> set[str] | None:
    """Return the ids of an assistant's files; None where the export does not say."""
    resources = assistant.get("tool_resources")
    named = set(texts(assistant.get("file_ids")))
    stores: set[str] = set()
    for resource in resources.values() if isinstance(resources, Mapping) else ():
        if isinstance(resource, Mapping):
            named.update(texts(resource.get("file_ids")))
            stores.update(texts(resource.get("vector_store_ids")))
    in_stores = {file_id for file_id, stored in dump.stored.items() if stored.get("vector_store_id") in stores}
    if stores and not in_stores:
        return None
    return named | in_stores


def attached_to(message: Mapping[str, Any]) -> set[str]:
    """Return the ids of the files that were sent with a message."""
    given = [str(each.get("file_id")) for each in listed(message.get("attachments"))]
    return {*given, *texts(message.get("file_ids"))}
