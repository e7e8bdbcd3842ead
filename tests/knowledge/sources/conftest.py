from __future__ import annotations

import pickle
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from agent.knowledge.documents import Found, IndexReport, Source

Write = Callable[[dict[str, str | bytes]], Path]
Find = Callable[[Source], Awaitable[tuple[dict[str, Found], IndexReport]]]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


@pytest.fixture
def write(docs: Path) -> Write:
    def write(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = docs / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return docs

    return write


@pytest.fixture
def find() -> Find:
    """Everything that a source holds, by name, and its report. What it found has been pickled, as other processes read."""

    async def find(source: Source) -> tuple[dict[str, Found], IndexReport]:
        report = IndexReport()
        with blockbuster_ctx("agent"):
            found: list[Any] = [pickle.loads(pickle.dumps(found)) async for found in source.find(report)]
        by_name = {document.name: document for document in found}
        assert len(by_name) == len(found)
        return by_name, report

    return find
