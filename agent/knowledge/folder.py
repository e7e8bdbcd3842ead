"""A folder of documents: which of its files are documents, and what became of each."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import SelfhelpError
from agent.knowledge.chunks import SPLITTERS, Chunk, decoded, keyed
from agent.knowledge.store import Document

LARGEST_FILE = 20 * 2**20


class NoDocuments(SelfhelpError):
    """A folder that is missing or holds nothing to index."""


@dataclass
class IndexReport:
    """What became of a folder's documents, by their names within it.

    Args:
        added: indexed for the first time.
        changed: indexed again, as their text or place is another.
        unchanged: left as they were.
        removed: no longer in the folder, or skipped now.
        skipped: name and reason of what was left out on purpose.
        failed: name and reason of what could not be read. What was indexed of it before is kept.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def documents_in(folder: Path, report: IndexReport) -> dict[str, Path]:
    """Return a folder's documents by name, telling the report what is left out.

    Raises:
        NoDocuments: the folder is missing, or has none.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise NoDocuments(f"there is no folder {folder}: name the folder that the documents are in")
    found: dict[str, Path] = {}

    def wanted(path: Path) -> bool:
        try:
            reason = _reason_to_skip(path, root)
        except OSError as error:
            failed(error)
            return False
        if reason:
            report.skipped.append((_name(path, root), reason))
        return not reason

    def failed(error: OSError) -> None:
        report.failed.append((_name(Path(error.filename), root), reason_of(error)))

    for place, folders, files in os.walk(root, onerror=failed):
        folders[:] = sorted(name for name in folders if wanted(Path(place, name)))
        found |= {_name(path, root): path for name in sorted(files) if wanted(path := Path(place, name))}
    if not found:
        raise NoDocuments(f"{folder} holds no document: put files in it that end in {', '.join(SPLITTERS)}")
    return found


def _reason_to_skip(path: Path, root: Path) -> str | None:
    if path.name.startswith("."):
        return "hidden"
    if path.is_symlink() and (path.is_dir() or not Path(os.path.realpath(path)).is_relative_to(root)):
        return "a link to a folder, or out of this one"
    if path.is_dir():
        return None
    if path.suffix.lower() not in SPLITTERS or not path.is_file():
        return "neither Markdown nor plain text"
    if path.stat().st_size > LARGEST_FILE:
        return f"larger than {LARGEST_FILE // 2**20} MB"
    return None if str(path) == str(path).encode(errors="ignore").decode() else "its name is not UTF-8"


def _name(path: Path, root: Path) -> str:
    return os.fsencode(path.relative_to(root).as_posix()).decode(errors="replace")


def reason_of(error: Exception) -> str:
    """Say why a document could not be read."""
    return getattr(error, "strerror", None) or str(error)


def load(collection: str, name: str, path: Path, known: str | None) -> tuple[Document, dict[str, Chunk]] | None:
    """Return a document and its chunks by key, None where its hash is the known one.

    Raises:
        OSError: it cannot be read.
        Undecodable: it is no text.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(f"{path}\0".encode())
    digest.update(content)
    if digest.hexdigest() == known:
        return None
    chunks = SPLITTERS[path.suffix.lower()](decoded(content), path.name)
    title = chunks[0].title if chunks else path.stem
    return Document(collection, name, str(path), digest.hexdigest(), title), keyed(chunks, collection, name)
