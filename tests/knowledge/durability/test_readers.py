"""Searches while everything that they find is replaced."""

from __future__ import annotations

import asyncio
import re

from agent.knowledge.base import KnowledgeBase
from tests.support.documents import assert_consistent, hashing, write

RULES = 2000
VERSIONS = 4


def version(number: int) -> str:
    """Write rules all of which change with each version."""
    rules = (f"## Rule {n}\n\nCommon rule {n} of version {number}." for n in range(RULES))
    return "\n\n".join(("# Rules", *rules))


async def test_readers_see_one_version_of_a_document_while_it_is_replaced(tmp_path) -> None:
    docs = write(tmp_path / "docs", {"rules.md": version(0), "other.md": "# Other\n\nCommon."})
    base = await KnowledgeBase.open(tmp_path / "index", hashing())
    await base.index(docs)
    is_done = False

    async def read(neighbours: int = 0) -> set[int]:
        seen = set()
        while not is_done:
            found = await base.search("common rule", k=50, neighbours=neighbours)
            found = [passage for passage in found if passage.document == "rules.md"]
            assert len(found) >= (1 if neighbours else 40)
            versions = {int(number) for passage in found for number in re.findall(r"of version (\d+)", passage.text)}
            assert len(versions) == 1
            seen |= versions
        return seen

    readers = [asyncio.create_task(read(neighbours)) for neighbours in (0, 1)]
    elsewhere = [asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(read()))) for _ in range(2)]
    for number in range(1, VERSIONS):
        write(docs, {"rules.md": version(number)})
        assert (await base.index(docs)).changed == ["rules.md"]
    is_done = True
    seen = set().union(*await asyncio.gather(*readers, *elsewhere))
    assert len(seen) > 1
    assert_consistent(base)
    await base.close()
