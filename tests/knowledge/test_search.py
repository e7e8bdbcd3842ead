from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.context import Context, current
from agent.knowledge.base import KnowledgeBase
from agent.state import Passage
from agent.toolset import BoundTool
from tools.search import search_tool


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    opened = await KnowledgeBase.open(tmp_path / "index", None)
    for collection in ("default", "staff"):
        folder = tmp_path / collection
        folder.mkdir()
        for number in range(6):
            (folder / f"{number}.md").write_text(f"# Page {number}\n\nHolidays for {collection}.")
        await opened.index(folder, collection=collection)
    yield opened
    await opened.close()


@pytest.fixture
def tool(base: KnowledgeBase) -> BoundTool:
    async def knowledge() -> KnowledgeBase:
        return base

    return BoundTool(search_tool(knowledge))


async def test_is_shown_to_the_model_as_a_read_of_one_query(tool: BoundTool) -> None:
    assert tool.effect == "read"
    assert tool.function == {
        "name": "search",
        "description": "Search the company's documents for passages.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "the few words that the passage would contain"}},
            "required": ["query"],
        },
    }


async def test_gives_passages_of_the_default_context(tool: BoundTool) -> None:
    found = await tool.tool.ainvoke({"query": "holidays"})
    assert all(isinstance(passage, Passage) for passage in found)
    assert [passage.document for passage in found] == ["0.md", "1.md", "2.md", "3.md"]
    assert "default" in found[0].text


async def test_takes_collection_and_number_from_the_run(tool: BoundTool) -> None:
    token = current.set(Context(collection="staff", top_k=2))
    try:
        found = await tool.tool.ainvoke({"query": "holidays"})
    finally:
        current.reset(token)
    assert [passage.text for passage in found] == [f"# Page {number}\n\nHolidays for staff." for number in (0, 1)]


async def test_finds_nothing_where_nothing_fits(tool: BoundTool) -> None:
    assert await tool.tool.ainvoke({"query": "kayak"}) == []
