"""Trying a Chroma folder out in a process of its own, as a damaged one may take the process that opens it with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

TIMEOUT = 120.0
# A vector is found again if the nearest is at most this far from it: a copy may be nearest just as well.
NEAR = 0.01


def sizes(folder: Path) -> str:
    """Return the sizes of a folder's files, as text that two states of it can be compared by."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return json.dumps([[path.relative_to(folder).as_posix(), path.stat().st_size] for path in files])


def is_sound(folder: Path, samples: Mapping[str, Vector]) -> bool:
    """Whether vectors are found again in a Chroma folder, as far as a sample tells.

    Args:
        folder: the folder.
        samples: vectors that are in it, by key.
    """
    given = json.dumps({key: vector.tolist() for key, vector in samples.items()})
    try:
        done = subprocess.run(  # noqa: S603 - this module, in this interpreter
            [sys.executable, "-m", __name__, str(folder)],
            input=given,
            text=True,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> None:
    """Exit with 0 if every vector on standard input is found again in the folder that the argument names."""
    import numpy as np

    from agent.knowledge.vectors.chroma import chroma_folder

    index = chroma_folder(Path(sys.argv[1]))
    for vector in json.load(sys.stdin).values():
        if max(index.search(np.asarray(vector, np.float32), 1, None).values(), default=0.0) < 1 - NEAR:
            sys.exit(1)


if __name__ == "__main__":
    main()
