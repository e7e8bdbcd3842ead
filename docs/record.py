"""Records the demo as a picture for the README: `uv run --group local python docs/record.py`."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from agent.settings import load_settings
from service.demo import REFUND, run_demo

PICTURE = Path(__file__).parent / "images" / "demo.svg"
QUESTIONS = ["I want to send back the tent from order 1012. How much do I get back after the return fee?", REFUND]
# Rich would load a font from elsewhere.
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Run the demo on the local model, with its write approved, and draw what it shows."""
    console = Console(record=True, width=100, force_terminal=False, file=io.StringIO(), highlight=False)
    with TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), model="local")
        asyncio.run(run_demo(settings, console, QUESTIONS, yes=True, as_json=False))
    # Answers are left to the terminal to wrap.
    wrapped = Console(record=True, width=console.width, file=io.StringIO(), highlight=False)
    wrapped.print(Text.from_ansi(console.export_text(styles=True)))
    picture = wrapped.export_svg(title="selfhelp demo --yes", theme=MONOKAI)
    PICTURE.write_text(FONT_FACE.sub("", picture), encoding="utf-8")


if __name__ == "__main__":
    main()
