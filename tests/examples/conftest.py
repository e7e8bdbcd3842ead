from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shop_backend import Backend


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend that tests only read from, or are refused by."""
    backend = Backend(tmp_path_factory.mktemp("shop") / "orders.db")
    yield backend
    backend.kill()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Backend]:
    """A backend that a test has to itself."""
    backend = Backend(tmp_path / "orders.db")
    yield backend
    backend.kill()
