"""Documentation of Python projects, out of the sources that they publish on PyPI. Nothing of it is part of Selfhelp."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.errors import SelfhelpError
from agent.models.weights import cache_dir

_TIMEOUT = 300.0


class Unreachable(SelfhelpError):
    """Sources that cannot be fetched, or are not those that were measured."""


@dataclass(frozen=True)
class Sdist:
    """Sources of a project.

    Args:
        project: its name on PyPI.
        version: which version.
        sha256: digest of the archive, as hexadecimal text.
        docs: folder of its documentation within the archive.
        ending: what the names of the documentation's files end in.
    """

    project: str
    version: str
    sha256: str
    docs: str
    ending: str

    @property
    def archive(self) -> Path:
        """Where the archive is once it is fetched."""
        return cache_dir() / "benchmarks" / f"{self.project}-{self.version}.tar.gz"


DJANGO = Sdist("django", "5.2.19", "ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1", "docs/", ".txt")
SCRAPY = Sdist("scrapy", "2.19.0", "34130726582b64c91531162ab277c4053e558876d49ba219cb43679e71d80a87", "docs/", ".rst")


def pages(sdist: Sdist) -> Iterator[tuple[str, str]]:
    """Yield name and text of each page of a project's documentation, fetching it first if need be.

    Raises:
        Unreachable: it cannot be fetched, or is another than was measured.
    """
    if not sdist.archive.exists():
        _fetch(sdist)
    if hashlib.sha256(sdist.archive.read_bytes()).hexdigest() != sdist.sha256:
        raise Unreachable(f"{sdist.archive} is not what PyPI published, by its SHA-256: delete it and try again")
    with tarfile.open(sdist.archive) as archive:
        for member in archive:
            name = member.name.partition("/")[2]
            if member.isfile() and name.startswith(sdist.docs) and name.endswith(sdist.ending):
                content = archive.extractfile(member)
                assert content  # a file has one
                yield f"{sdist.project}/{name.removeprefix(sdist.docs)}", content.read().decode()


def _fetch(sdist: Sdist) -> None:
    folder = sdist.archive.parent
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"{sdist.project}=={sdist.version}"
    command = ["uvx", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), wanted]
    try:
        subprocess.run(command, check=True, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unreachable(f"the documentation of {wanted} cannot be fetched from PyPI: {error}") from error
    if not sdist.archive.exists():
        raise Unreachable(f"PyPI's archive of {wanted} has another name than {sdist.archive.name}")
