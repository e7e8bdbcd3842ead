"""Reading documents into the knowledge base, with a progress bar and a report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.errors import SettingsError
from agent.knowledge.folder import IndexReport
from agent.knowledge.library import open_base
from agent.settings import Settings
from service.console import progress


async def index_folder(
    settings: Settings, folder: Path | None, collection: str, console: Console, *, rebuild: bool, as_json: bool
) -> bool:
    """Index a folder and report. Returns whether every document could be read.

    Raises:
        SettingsError: no folder is given or set.
    """
    folder = folder or settings.knowledge.folder
    if folder is None:
        raise SettingsError(
            "which folder? Write it behind the command, or set folder under [knowledge] in selfhelp.toml"
        )
    with progress(Console(stderr=True, quiet=as_json), "Indexing") as report:
        base = await open_base(settings, rebuild=rebuild, progress=report)
        try:
            indexed = await base.index(folder, collection=collection, progress=report)
        finally:
            await base.close()
    if as_json:
        console.file.write(json.dumps(asdict(indexed), ensure_ascii=False) + "\n")
    else:
        _show(indexed, console)
    return not indexed.failed


def _show(report: IndexReport, console: Console) -> None:
    counts = {name: len(getattr(report, name)) for name in ("added", "changed", "unchanged", "removed")}
    console.print(", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to index")
    for label, left_out in (("skipped", report.skipped), ("failed", report.failed)):
        for name, reason in left_out:
            style = "red" if label == "failed" else "yellow"
            console.print(Text.assemble((f"{label} ", style), f"{name}: {reason}"), soft_wrap=True)
