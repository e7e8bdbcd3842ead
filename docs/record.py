"""Records the demo as a picture for the README: `uv run --group local python docs/record.py`."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import MONOKAI

from agent.settings import load_settings
from service.demo import REFUND, run_demo

PICTURE = Path(__file__).parent / "images" / "demo.svg"
QUESTIONS = ["What is the status of order 1042, and how long may its products be returned?", REFUND]
# Rich would load a font from elsewhere.
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Run the demo on the local model, with its write approved, and draw what it shows."""
    console = Console(record=True, width=100, force_terminal=True, file=io.StringIO(), highlight=False)
    with TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), model="local")
        asyncio.run(run_demo(settings, console, QUESTIONS, yes=True, as_json=False))
    picture = console.export_svg(title="selfhelp demo --yes", theme=MONOKAI)
    PICTURE.write_text(FONT_FACE.sub("", picture), encoding="utf-8")


if __name__ == "__main__":
    main()
