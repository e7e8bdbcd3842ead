"""The knowledge base as a LangChain retriever, for chains and agents of others."""

from __future__ import annotations

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from agent.background import in_background
from agent.knowledge.base import KnowledgeBase
from agent.knowledge.filters import Filter


class KnowledgeRetriever(BaseRetriever):
    """Finds passages as LangChain documents: the text as content, the rest of a passage as metadata."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    base: KnowledgeBase = Field(description="The knowledge base.")
    k: int = Field(4, ge=1, description="The most passages to return.")
    where: Filter = Field(default_factory=Filter, description="Which passages may be found.")
    neighbours: int = Field(0, ge=0, description="How many passages before and behind each are joined to it.")
    passage_tokens: int | None = Field(None, description="Tokens that all of them may have together.")

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's
    ) -> list[Document]:
        return await self._documents(query)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's
    ) -> list[Document]:
        return in_background(self._documents(query))

    async def _documents(self, query: str) -> list[Document]:
        passages = await self.base.search(
            query, k=self.k, where=self.where, neighbours=self.neighbours, tokens=self.passage_tokens
        )
        return [
            Document(id=passage.id, page_content=passage.text, metadata=passage.model_dump(exclude={"id", "text"}))
            for passage in passages
        ]
