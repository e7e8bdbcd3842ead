"""Where the deployment's knowledge base is kept, and whether there is one."""

from __future__ import annotations

from pathlib import Path

from agent.settings import Settings


def directory(settings: Settings) -> Path:
    """Return the folder that the knowledge base is kept in."""
    return settings.data_dir / "knowledge"


def is_there(settings: Settings) -> bool:
    """Whether there is anything to search: sources are set, or one was indexed before."""
    return bool(settings.knowledge.sources) or (directory(settings) / "knowledge.sqlite").exists()
