"""The knowledge base in other people's chains."""

import asyncio

from langchain_core.runnables import RunnableLambda

from agent.knowledge.filters import Filter
from agent.knowledge.retriever import KnowledgeRetriever


async def test_gives_documents_with_the_place_they_stand_at(base, docs) -> None:
    await base.index(docs)
    [found] = await KnowledgeRetriever(base=base, k=1).ainvoke("what does the return label cost")
    assert found.page_content == "## Fee\n\nThe return label costs 4.90 EUR."
    expected = {"document": "returns.md", "heading": "Fee", "first_line": 5, "uri": str(docs / "returns.md")}
    assert found.metadata.items() >= expected.items()


async def test_stands_in_a_chain_and_keeps_to_its_filter(base, docs) -> None:
    await base.index(docs, owner="ann")
    for owner, count in (("ann", 1), (None, 0)):
        retriever = KnowledgeRetriever(base=base, k=1, where=Filter(owner=owner))
        assert await (retriever | RunnableLambda(len)).ainvoke("Utrecht") == count


async def test_can_be_called_where_nothing_can_be_awaited(base, docs) -> None:
    await base.index(docs)
    found = KnowledgeRetriever(base=base).invoke("Utrecht")
    assert found[0].metadata["document"] == "stores.txt"
    assert await asyncio.to_thread(KnowledgeRetriever(base=base).invoke, "Utrecht") == found
