"""A chat model whose reply is mended while it streams: JSON plans become tool calls, false citations and links go.

It is a chat model itself, so that LangGraph streams the mended tokens, and only those.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Never, Protocol, runtime_checkable

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.load.serializable import SerializedNotImplemented
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict

from agent.errors import BrokenReply
from agent.models.failures import explained
from agent.models.json_protocol import reader, transcript
from agent.plain import legible
from agent.state import sources_of, turn_of

LONGEST_BLANK = 400


@runtime_checkable
class TextCheck(Protocol):
    """Takes a text in pieces and gives it back with what may not stand in it removed."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what can be shown."""
        ...

    def finish(self) -> str:
        """Return what was held back."""
        ...


class Speaker(BaseChatModel):
    """One model call with its reply mended on the way.

    Args:
        inner: the model.
        options: what it is called with: tools, response format.
        json_plans: whether the model writes plans as JSON rather than by function calling.
        check: checks the text of the reply.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    inner: BaseChatModel
    options: dict[str, Any]
    json_plans: bool
    check: TextCheck

    @property
    def _llm_type(self) -> str:
        return "selfhelp"

    def to_json(self) -> SerializedNotImplemented:
        """Return what a tracer is told it is. LangChain would write out prompt and tools at every call."""
        return {"lc": 1, "type": "not_implemented", "id": ["agent", "models", "speaker", "Speaker"], "repr": None}

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> AsyncIterator[ChatGenerationChunk]:
        sent: Sequence[BaseMessage] = transcript.written(messages) if self.json_plans else messages
        # Without callbacks, the inner call is not streamed and counted a second time.
        chunks = not_blank(in_chunks(self.inner.astream(sent, {"callbacks": []}, **self.options)))
        if self.json_plans:
            chunks = reader.read(chunks, sources_of(turn_of(messages)))
        spoken = False
        try:
            async for chunk in checked(chunks, self.check):
                spoken = spoken or bool(chunk.text)
                yield ChatGenerationChunk(message=chunk)
        except Exception as error:  # whatever the provider raises: what the person has read already cannot be unsaid
            if not spoken:
                raise
            yield ChatGenerationChunk(message=_broken_off(error))

    def _generate(self, *_args: Any, **_kwargs: Any) -> Never:
        raise NotImplementedError("a Speaker only streams, and only asynchronously")


async def in_chunks(messages: AsyncIterator[AIMessage]) -> AsyncIterator[AIMessageChunk]:
    """Pass chunks on. A model that does not stream gives one whole message instead, in spite of its types."""
    async for message in messages:
        if isinstance(message, AIMessageChunk):
            yield message
        else:
            yield AIMessageChunk(**message.model_dump(exclude={"type"}))


async def not_blank(chunks: AsyncIterator[AIMessageChunk]) -> AsyncIterator[AIMessageChunk]:
    """Pass chunks on until there is nothing but white space for too long.

    Raises:
        BrokenReply: the model writes white space without end.
    """
    blank = 0
    async for chunk in chunks:
        written = str(chunk.text) + "".join(part["args"] or "" for part in chunk.tool_call_chunks)
        rest = written.rstrip()
        blank = len(written) - len(rest) + (0 if rest else blank)
        if blank > LONGEST_BLANK:
            raise BrokenReply("the model writes nothing but white space")
        yield chunk


async def checked(chunks: AsyncIterator[AIMessageChunk], check: TextCheck) -> AsyncIterator[AIMessageChunk]:
    """Pass chunks on with their text checked."""
    last: AIMessageChunk | None = None
    async for chunk in chunks:
        yield _checked(chunk, check)
        last = chunk if chunk.content else last
    if rest := check.finish():
        yield AIMessageChunk(content=_like(last, rest))


def _broken_off(error: Exception) -> AIMessageChunk:
    reason = explained(error)
    notice = f"\n\n(The answer breaks off here: {reason}.)"
    return AIMessageChunk(content=notice, response_metadata={"broken_off": reason})


def _checked(chunk: AIMessageChunk, check: TextCheck) -> AIMessageChunk:
    if not chunk.content:
        return chunk
    if isinstance(chunk.content, str):
        text = check.feed(legible(chunk.content))
        return chunk if text == chunk.content else chunk.model_copy(update={"content": text})
    blocks = [
        {**block, "text": check.feed(legible(block["text"]))}
        if isinstance(block, dict) and block.get("text")
        else block
        for block in chunk.content
    ]
    return chunk.model_copy(update={"content": blocks})


def _like(last: AIMessageChunk | None, text: str) -> str | list[str | dict[Any, Any]]:
    """Return text as content that merges into that of the last chunk, where OpenAI's Responses API writes blocks."""
    if last is None or isinstance(last.content, str):
        return text
    index = next(
        (block.get("index") for block in reversed(last.content) if isinstance(block, dict) and "text" in block), 0
    )
    return [{"type": "text", "text": text, "index": index}]
