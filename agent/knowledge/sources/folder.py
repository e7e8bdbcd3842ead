"""Folders of documents, and patterns such as `manuals/**/*.pdf`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from agent.knowledge.documents import Found, IndexReport, NoDocuments
from agent.knowledge.sources.files import ELSEWHERE, OnDisk, found_among, is_hidden, name_of, reason_of

Parts = Sequence[str]


class Folder(OnDisk):
    """The documents in a folder and in the folders in it."""

    def _listed(self, report: IndexReport) -> list[Found]:
        return found_among(files_in(self.path, report), self.path, report, self.limits)


@dataclass(frozen=True)
class Glob(OnDisk):
    """The documents that a pattern names: `*`, `?` and `[…]` within a name, `**` for any number of folders.

    Args:
        path: the folder before the pattern's first wildcard. Documents have their names in it.
        limits: how much of it is read.
        pattern: what comes after that folder.
    """

    pattern: str = "**"

    @property
    def key(self) -> str:
        """The path with the pattern."""
        return str(self.path / self.pattern)

    def concerns(self, path: Path) -> bool:
        """Tell whether the pattern names a path, or one that may be below it."""
        if not super().concerns(path):
            return False
        parts, wanted = path.relative_to(self.path).parts, self.pattern.split("/")
        return _fits(parts, wanted) or _may_lead_to(parts, wanted)

    def _listed(self, report: IndexReport) -> list[Found]:
        wanted = self.pattern.split("/")
        files = files_in(self.path, report, lambda parts: _may_lead_to(parts, wanted))
        fitting = (file for file in files if _fits(file.relative_to(self.path).parts, wanted))
        return found_among(fitting, self.path, report, self.limits)


def files_in(root: Path, report: IndexReport, enters: Callable[[Parts], bool] = lambda _: True) -> Iterator[Path]:
    """Yield the files in a folder and in the folders in it, but hidden and linked ones, by name.

    Args:
        root: the folder.
        report: told which folders are skipped and which cannot be listed.
        enters: tells whether to look into a folder, from the names that lead to it.

    Raises:
        NoDocuments: there is no such folder, or it cannot be listed.
    """
    if not root.is_dir():
        raise NoDocuments(f"there is no file or folder {root}: name what the documents are in")

    def failed(error: OSError) -> None:
        if Path(error.filename) == root:
            raise NoDocuments(f"{root} cannot be read: {reason_of(error)}") from error
        report.failed.append((name_of(Path(error.filename), root), reason_of(error)))

    def entered(folder: Path) -> bool:
        if not enters(folder.relative_to(root).parts):
            return False
        reason = "hidden" if is_hidden(folder.name) else ELSEWHERE if folder.is_symlink() else ""
        if reason:
            report.skipped.append((name_of(folder, root), reason))
        return not reason

    for place, folders, files in os.walk(root, onerror=failed):
        folders[:] = sorted(name for name in folders if entered(Path(place, name)))
        yield from (Path(place, name) for name in sorted(files))


def _fits(parts: Parts, pattern: Parts) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[count:], pattern[1:]) for count in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _may_lead_to(parts: Parts, pattern: Parts) -> bool:
    if not parts:
        return True
    if not pattern:
        return False
    return pattern[0] == "**" or (fnmatchcase(parts[0], pattern[0]) and _may_lead_to(parts[1:], pattern[1:]))
