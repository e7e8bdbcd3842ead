"""Trying a Chroma folder out in a process of its own, as a damaged one may take the process that opens it with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.knowledge.vectors import Vector

TIMEOUT = 120.0
# A vector is found again if the nearest is at most this far from it: a copy may be nearest just as well.
NEAR = 0.01
# The graph that Chroma searches does not lead to every vector: of 1,900 in a sound one up to 1 in 200 was not found.
UNREACHABLE = 0.01


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
    with subprocess.Popen(  # noqa: S603 - this module, in this interpreter
        [sys.executable, "-m", __name__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin, "it is a pipe"
        try:
            print(given, file=process.stdin, flush=True)
            return process.wait(TIMEOUT) == 0
        except (subprocess.TimeoutExpired, BrokenPipeError):
            return False
        finally:
            process.kill()


def main() -> None:
    """Exit with 0 if the vectors on standard input are found again in the folder that the argument names."""
    import numpy as np

    samples = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from agent.knowledge.vectors.chroma import chroma_folder

    index = chroma_folder(Path(sys.argv[1]))
    nearest = [index.search(np.asarray(vector, np.float32), 1, None) for vector in samples.values()]
    lost = [found for found in nearest if max(found.values(), default=0.0) < 1 - NEAR]
    sys.exit(len(lost) > UNREACHABLE * len(samples))


def _end_with_parent() -> None:
    """End as soon as standard input does, as the next process may open the folder then, and one alone may."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
