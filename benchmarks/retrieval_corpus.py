"""Real text in any amount: the Python sources on this machine as text files, and sentences of theirs to ask for."""

from __future__ import annotations

import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

CHARACTERS_PER_CHUNK = 600
CHARACTERS_PER_FILE = 20_000

_SENTENCE = re.compile(r"^ *([A-Z][a-z]+(?: [a-z]+,?){5,12})\.?$", re.MULTILINE)


def write(folder: Path, chunks: int) -> None:
    """Fill a folder with text that comes to about so many chunks. Less of it may be there already."""
    folder.mkdir(exist_ok=True)
    left = chunks * CHARACTERS_PER_CHUNK
    for number, text in enumerate(_texts()):
        (folder / f"{number:06}.txt").write_text(text[:left], encoding="utf-8")
        left -= len(text)
        if left <= 0:
            return


def sentences(folder: Path, number: int) -> list[str]:
    """Return sentences of a folder's files to ask for, each another, in the same order for the same files."""
    texts = (file.read_text(encoding="utf-8") for file in sorted(folder.iterdir()))
    found = list(dict.fromkeys(match[1] for text in texts for match in _SENTENCE.finditer(text)))
    return random.Random(0).sample(found, min(number, len(found)))


def _texts() -> Iterator[str]:
    """Yield pieces of source files, cut at lines."""
    for place in ("stdlib", "purelib"):
        for path in sorted(Path(sysconfig.get_path(place)).rglob("*.py")):
            lines, size = [], 0
            for line in path.read_text(encoding="utf-8", errors="ignore").splitlines(keepends=True):
                lines.append(line)
                size += len(line)
                if size >= CHARACTERS_PER_FILE:
                    yield "".join(lines)
                    lines, size = [], 0
            if size:
                yield "".join(lines)
