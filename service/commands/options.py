"""What groups of commands share: where they write, how they end, and options that mean the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

FAILED = 1

console = Console(highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
