from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.knowledge.base import KnowledgeBase
from agent.knowledge.embedders import Embedder
from tests.support.documents import hashing, write


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write(
        tmp_path / "docs",
        {
            "returns.md": "# Returns\n\nGeneral words.\n\n## Fee\n\nThe return label costs 4.90 EUR.",
            "stores.txt": "Stores\n======\n\nThe store in Utrecht is open on Sunday.",
            "guides/tent.md": "# Tent\n\nStake the poles before the fly sheet.",
        },
    )


@pytest.fixture
def embedder() -> Embedder:
    return hashing()


@pytest.fixture
async def base(tmp_path: Path, embedder: Embedder) -> AsyncIterator[KnowledgeBase]:
    opened = await KnowledgeBase.open(tmp_path / "index", embedder)
    yield opened
    await opened.close()
