"""What stands between the graph and the world while a cassette is recorded or replayed: a chat model, and tools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Never
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from agent.toolset import BoundTool

Stream = Callable[[list[BaseMessage], dict[str, Any]], AsyncIterator[AIMessageChunk]]
Act = Callable[[str, dict[str, Any]], Awaitable[Any]]


class TapedChat(BaseChatModel):
    """A chat model whose replies come through a tape.

    Args:
        inner: the model that it stands for; None where there is none.
    """

    inner: BaseChatModel | None = None
    _replies: Stream = PrivateAttr()

    @classmethod
    def over(cls, stream: Stream, inner: BaseChatModel | None = None) -> TapedChat:
        """Return a chat model that replies as `stream` does."""
        chat = cls(inner=inner, profile=inner.profile if inner else None)
        chat._replies = stream
        return chat

    @property
    def extra_body(self) -> Any:
        """The model's own, where it has one: what it is told beyond the API is added to it."""
        return self.inner.extra_body  # type: ignore[union-attr]  # an AttributeError says that there is none

    @property
    def _llm_type(self) -> str:
        return "taped"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, Any]:
        """Bind tools as the model does."""
        if self.inner is not None:
            return self.inner.bind_tools(tools, **kwargs)
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in self._replies(messages, kwargs):
            yield ChatGenerationChunk(message=chunk)

    def _generate(self, *_args: Any, **_kwargs: Any) -> Never:
        raise NotImplementedError("a taped model only streams, and only asynchronously")


class TapedTool(BaseTool):
    """A tool whose calls go through a tape. The model and the graph see the tool that it stands for."""

    _act: Act = PrivateAttr()

    @classmethod
    def over(cls, act: Act, tool: BaseTool) -> BoundTool:
        """Return a tool that does what `act` does with the id and the arguments of a call."""
        taped = cls(
            name=tool.name,
            description=tool.description,
            args_schema=tool.tool_call_schema,
            metadata=tool.metadata,
            tags=tool.tags,
            response_format=tool.response_format,
            handle_tool_error=tool.handle_tool_error,
        )
        taped._act = act
        return BoundTool(taped)

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002 - LangChain's
        """Call it, with arguments or a tool call."""
        is_call = isinstance(input, dict) and input.get("type") == "tool_call"
        return await (self._act(input["id"], input["args"]) if is_call else self._act(uuid4().hex, input))

    def _run(self, **_args: Any) -> Never:
        raise NotImplementedError("a taped tool is called with ainvoke")
