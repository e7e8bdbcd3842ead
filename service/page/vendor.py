"""The libraries of the chat page, from the npm registry: `python -m service.page.vendor` fetches them anew.

Each stands in static/vendor under a name of its own, with its licence beside it. To renew one, change its version here.
Nothing is changed in them but where they find each other.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from service.page import FILES

VENDOR = FILES / "vendor"
SUMS = VENDOR / "sha256.json"


@dataclass(frozen=True)
class Library:
    """A library.

    Args:
        package: its name in the registry.
        version: its version.
        files: names here by paths in the package.
    """

    package: str
    version: str
    files: dict[str, str]


LIBRARIES = [
    Library("preact", "11.2.0", {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"}),
    Library("htm", "3.1.1", {"dist/htm.mjs": "htm.js"}),
    Library("@preact/signals-core", "1.14.5", {"dist/signals-core.mjs": "signals-core.js"}),
    Library("@preact/signals", "2.11.4", {"dist/signals.mjs": "signals.js"}),
    Library("marked", "18.2.1", {"lib/marked.esm.js": "marked.js"}),
    Library("dompurify", "3.4.18", {"dist/purify.es.mjs": "purify.js"}),
]
# A browser finds no package by its bare name.
PLACES = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
}
_IMPORT = re.compile(r'(?<=from")[^".][^"]*(?=")')
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*\n?", re.MULTILINE)


def fetch(library: Library) -> None:
    """Fetch a library and put its files into place.

    Args:
        library: the library.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{library.package}@{library.version}"
        subprocess.run(["npm", "pack", "--silent", wanted], cwd=folder, check=True)  # noqa: S603, S607
        [archive] = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        package = Path(folder) / "package"
        for path, name in library.files.items():
            code = _SOURCE_MAP.sub("", (package / path).read_text(encoding="utf-8"))
            (VENDOR / name).write_text(_IMPORT.sub(lambda found: PLACES[found[0]], code), encoding="utf-8")
        [licence] = package.glob("LICENSE*") if library.package != "dompurify" else [package / "LICENSE"]
        name = library.package.removeprefix("@").replace("/", "-")
        (VENDOR / "licences" / f"{name}.txt").write_bytes(licence.read_bytes())


def sums() -> dict[str, str]:
    """Return the SHA-256 of every file of the libraries, by name."""
    files = sorted(VENDOR.glob("*.js"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    (VENDOR / "licences").mkdir(parents=True, exist_ok=True)
    for each in LIBRARIES:
        fetch(each)
    SUMS.write_text(json.dumps(sums(), indent=2) + "\n", encoding="utf-8")
