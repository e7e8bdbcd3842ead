"""Where documents come from: files, folders, patterns, zip archives, Git working copies and web sites."""

from __future__ import annotations

import os
import re
from pathlib import Path

from agent.knowledge.documents import NoDocuments, Source
from agent.knowledge.sources.archive import Archive
from agent.knowledge.sources.checkout import Checkout
from agent.knowledge.sources.files import File, OnDisk
from agent.knowledge.sources.folder import Folder, Glob
from agent.knowledge.sources.limits import LIMITS, Limits
from agent.knowledge.sources.site import Site
from agent.knowledge.sources.watch import changes

__all__ = ["LIMITS", "Limits", "Site", "changes", "open_source"]

_WILDCARD = re.compile(r"[*?[]")


def open_source(spec: str | Path, *, limits: Limits = LIMITS) -> Source:
    """Return the source that an address or a path names. It looks at the disk, so call it in a thread.

    What does not exist is a source too, so that `find` says so: a disk that is not mounted must not empty the index.

    Args:
        spec: `https://docs.example/manual/`, or a path: a folder, a Git working copy, a zip file, another file or a
            pattern such as `manuals/**/*.pdf`. It is relative to the working directory; `~` is the home folder.
        limits: how much of it is read.

    Raises:
        NoDocuments: it is empty, or no address of a web site.
    """
    if not str(spec).strip():
        raise NoDocuments("the name of a source is empty: write . for this folder")
    if str(spec).lower().startswith(("http://", "https://")):
        return Site(str(spec), limits)
    path = Path(os.path.abspath(Path(spec).expanduser()))  # noqa: PTH100 - resolve() would follow links
    if _WILDCARD.search(str(path)) and not os.path.lexists(path):
        return _glob(path, limits)
    return _kind(path)(path, limits)


def _kind(path: Path) -> type[OnDisk]:
    if path.is_file():
        return Archive if path.suffix.lower() == ".zip" else File
    return Checkout if os.path.lexists(path / ".git") else Folder


def _glob(path: Path, limits: Limits) -> Glob:
    first = next(place for place, part in enumerate(path.parts) if _WILDCARD.search(part))
    return Glob(Path(*path.parts[:first]), limits, "/".join(path.parts[first:]))
