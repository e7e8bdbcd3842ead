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
            _forget(notebook)
            nbformat.write(notebook, path)


def _forget(notebook: Any) -> None:
    """Drop what would differ from run to run, or from machine to machine, although nothing changed."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            for shown in (output, output.get("data", {})):
                for kind, text in shown.items():
                    if isinstance(text, str):
                        shown[kind] = text.replace(str(FOLDER.parent), ".")


if __name__ == "__main__":
    main()
