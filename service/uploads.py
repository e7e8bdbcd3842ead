"""Files that people send: named so that they lead nowhere else, and written piece by piece."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import quote

from agent.errors import SelfhelpError
from agent.knowledge.formats import kind_of

PIECE = 1 << 20
# Bytes: file systems take 255 for the name of a file or a folder.
LONGEST = 255
LONGEST_ENDING = 20


class Refused(SelfhelpError):
    """A file that is no document."""


class Upload(Protocol):
    """A file that is being sent."""

    filename: str | None

    async def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        ...


def name_and_kind(upload: Upload) -> tuple[str, str]:
    """Return what a file is called here, and its format.

    Raises:
        Refused: it is no document that can be read.
    """
    name = safe_name(upload.filename or "")
    kind = kind_of(name)
    if kind is None:
        raise Refused(
            f"{name or 'a file without a name'} is no document that can be read: send Markdown, HTML, "
            "PDF, DOCX, text, code, CSV or JSON"
        )
    return name, kind


def safe_name(given: str) -> str:
    """Return a file name without folders, control characters or leading dots, which any file system takes."""
    name = PurePosixPath(given.replace("\\", "/")).name
    kept = "".join(letter for letter in name if letter.isprintable()).lstrip(".").strip()
    stem, dot, ending = kept.rpartition(".")
    ending = _cut(f"{dot}{ending}", LONGEST_ENDING)
    return _cut(stem, LONGEST - len(ending.encode())) + ending


def folder_name(owner: str) -> str:
    """Return what the folder of an owner's files is called."""
    quoted = quote(owner, safe="")
    if len(quoted) <= LONGEST and quoted.strip("."):
        return quoted
    digest = hashlib.sha256(owner.encode()).hexdigest()
    return f"{quoted[: LONGEST - len(digest) - 1]}-{digest}"


def _cut(text: str, most: int) -> str:
    """Return the beginning of a text that has at most so many bytes."""
    return text.encode()[:most].decode(errors="ignore")


async def saved(upload: Upload, path: Path) -> int:
    """Write a file piece by piece, and return its size in bytes."""
    await asyncio.to_thread(path.parent.mkdir, parents=True, mode=0o700)
    size = 0
    file = await asyncio.to_thread(path.open, "xb")
    try:
        while piece := await upload.read(PIECE):
            size += await asyncio.to_thread(file.write, piece)
    finally:
        await asyncio.to_thread(file.close)
    return size
