"""Runs the notebooks: `python -m notebooks` keeps what they show, and with `--check` fails where one does not run."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
TIMEOUT = 600


def main() -> None:
    """Run every notebook from top to bottom."""
    check = "--check" in sys.argv[1:]
    for path in sorted(FOLDER.glob("*.ipynb")):
        began = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": str(FOLDER)}}).execute()
        print(f"{path.name} runs, {time.monotonic() - began:.0f} s")
        if not check:
            _forget_times(notebook)
            nbformat.write(notebook, path)


def _forget_times(notebook: Any) -> None:
    """Drop what would differ from run to run although nothing changed."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


if __name__ == "__main__":
    main()
