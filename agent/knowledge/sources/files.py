"""Files as documents: which of them are, what they are called, and how they are read."""

from __future__ import annotations

import asyncio
import errno
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.knowledge.documents import Found, IndexReport, NoDocuments
from agent.knowledge.formats import kind_of
from agent.knowledge.sources.limits import LIMITS, Limits, megabytes

NO_KIND = "not a kind of document that is read"
ELSEWHERE = "a link to a folder, or out of this one"


@dataclass(frozen=True)
class OnDisk(ABC):
    """A source on this machine.

    Args:
        path: the file or folder, absolute.
        limits: how much of it is read.
    """

    path: Path
    limits: Limits = LIMITS

    @property
    def key(self) -> str:
        """The path."""
        return str(self.path)

    async def find(self, report: IndexReport) -> AsyncGenerator[Found, None]:
        """Yield the documents.

        Raises:
            NoDocuments: there is none.
        """
        found = await asyncio.to_thread(self._listed, report)
        if not found:
            raise NoDocuments(
                f"{self.key} holds no document: put documents in it, such as Markdown (.md), HTML, PDF or Word (.docx)"
            )
        for document in found:
            yield document

    async def close(self) -> None:  # noqa: B027 - files stay
        """Do nothing: files can be read at any time."""

    def concerns(self, path: Path) -> bool:
        """Tell whether a change to a file or folder may be one to the documents."""
        return path == self.path or (path.is_relative_to(self.path) and not is_hidden(name_of(path, self.path)))

    @abstractmethod
    def _listed(self, report: IndexReport) -> list[Found]: ...


class File(OnDisk):
    """One file. That a person names it counts for more than a hidden name."""

    def _listed(self, report: IndexReport) -> list[Found]:  # noqa: ARG002 - as other sources have it
        try:
            found = found_file(self.path, self.path.name, self.limits)
        except OSError as error:
            raise NoDocuments(f"{self.path} cannot be read: {reason_of(error)}") from error
        if isinstance(found, str):
            raise NoDocuments(f"{self.path} is {found}: name another")
        return [found]


def found_among(paths: Iterable[Path], root: Path, report: IndexReport, limits: Limits) -> list[Found]:
    """Describe those of a folder's files that are documents, telling the report about the others.

    Args:
        paths: the files.
        root: the folder, in which they have their names and which they may not lead out of.
        report: told what is skipped and what fails.
        limits: how large they may be.
    """
    inside = os.path.realpath(root)
    documents = []
    for path in paths:
        name = name_of(path, root)
        try:
            found = _found_within(path, name, inside, limits)
        except OSError as error:
            report.failed.append((name, reason_of(error)))
            continue
        if isinstance(found, str):
            report.skipped.append((name, found))
        else:
            documents.append(found)
    return documents


def _found_within(path: Path, name: str, inside: str, limits: Limits) -> Found | str:
    if is_hidden(name):
        return "hidden"
    # Not only its own link counts: a folder that Git lists may have been replaced by one.
    if not Path(os.path.realpath(path)).is_relative_to(inside) or (path.is_symlink() and path.is_dir()):
        return ELSEWHERE
    return found_file(path, name, limits)


def found_file(path: Path, name: str, limits: Limits) -> Found | str:
    """Describe a file as a document, or say why it is none.

    Raises:
        OSError: it cannot be looked at.
    """
    kind = kind_of(path.name)
    if not kind or not path.is_file():
        return NO_KIND
    status = path.stat()
    if status.st_size > limits.document_bytes:
        return f"larger than {megabytes(limits.document_bytes)}"
    if str(path) != str(path).encode(errors="ignore").decode():
        return "its name is not UTF-8"
    return Found(name, str(path), kind, status.st_mtime, partial(read_file, str(path), limits.document_bytes))


def read_file(path: str, most: int) -> bytes:
    """Return what is in a file.

    Args:
        path: where it is.
        most: how many bytes it may have.

    Raises:
        OSError: it cannot be read, or has become larger.
    """
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {megabytes(most)}", path)
    return content


def is_hidden(name: str) -> bool:
    """Tell whether a name, or that of a folder in it, begins with a full stop."""
    return any(part.startswith(".") for part in name.split("/"))


def name_of(path: Path, root: Path) -> str:
    """Return a file's name within a folder, which can be shown whatever its bytes are."""
    return os.fsencode(path.relative_to(root).as_posix()).decode(errors="replace")


def reason_of(error: OSError) -> str:
    """Say why a file could not be read."""
    return error.strerror or str(error)
