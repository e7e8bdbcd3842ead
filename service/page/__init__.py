"""The chat page: plain files that the browser runs as they are."""

from pathlib import Path

FILES = Path(__file__).parent / "static"
