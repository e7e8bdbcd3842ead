"""Chat completions on the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from agent.state import Usage
from service.http.openai.errors import Refused
from service.http.openai.sources import Annotation
from service.http.openai.wire import MOST_TOKENS, Body, Content, Extension

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
FinishReason = Literal["stop", "length", "content_filter"]

OWN_TOOLS = "this assistant runs its own tools, which its persona chooses; leave it out"
REFUSED: Refused = {
    "tools": (([],), OWN_TOOLS),
    "functions": (([],), OWN_TOOLS),
    "tool_choice": (("none", "auto"), OWN_TOOLS),
    "function_call": (("none", "auto"), OWN_TOOLS),
    "web_search_options": ((), OWN_TOOLS),
    "n": ((1,), "ask again for another answer"),
    "logprobs": ((False,), "an answer can be made of several model calls; leave it out"),
    "top_logprobs": ((0,), "an answer can be made of several model calls; leave it out"),
    "stop": (("", []), "an answer ends where it ends; leave it out"),
    "modalities": ((["text"],), "answers are text; leave it out"),
    "audio": ((), "answers are text; leave it out"),
    "response_format": (({"type": "text"},), "answers are text with citations; ask for a form of text in a message"),
}


class ChatMessage(BaseModel):
    """A message of the conversation. `name` and calls of other tools are taken, and not looked at."""

    role: Role = Field(description="Whose it is.", examples=["user"])
    content: Content | None = Field(
        None, description="Text, or a list of text parts.", examples=["How long can I return a tent?"]
    )


class StreamOptions(BaseModel):
    """What a stream holds."""

    include_usage: bool = Field(False, description="Whether a last chunk tells the tokens used.", examples=[True])


class ChatRequest(Body):
    """A request for an answer."""

    model: str = Field(description="Name of a persona, or selfhelp for the default one.", examples=["helpdesk"])
    messages: list[ChatMessage] = Field(
        min_length=1,
        description="The whole conversation, the question last.",
        examples=[[{"role": "user", "content": "How long can I return a tent?"}]],
    )
    stream: bool | None = Field(None, description="Whether the answer comes in pieces.", examples=[False])
    stream_options: StreamOptions | None = Field(None, description="What the stream holds.")
    temperature: float | None = Field(None, ge=0, le=2, description="Sampling temperature.", examples=[0.2])
    max_tokens: int | None = Field(
        None,
        ge=1,
        le=MOST_TOKENS,
        description="The most tokens of one model call; at least 16 are given.",
        examples=[500],
    )
    max_completion_tokens: int | None = Field(
        None, ge=1, le=MOST_TOKENS, description="The newer name of max_tokens; goes before it.", examples=[500]
    )

    @property
    def limit(self) -> int | None:
        """The most tokens of one model call, where there is a limit."""
        return self.max_completion_tokens or self.max_tokens


class CachedTokens(BaseModel):
    """What of a prompt cost less."""

    cached_tokens: int = Field(description="Tokens that the provider had in its cache.", examples=[1024])


class ChatUsage(BaseModel):
    """Tokens of all model calls of the turn."""

    prompt_tokens: int = Field(description="Tokens read.", examples=[1500])
    completion_tokens: int = Field(description="Tokens written.", examples=[80])
    total_tokens: int = Field(description="Both.", examples=[1580])
    prompt_tokens_details: CachedTokens = Field(description="What of the prompts cost less.")

    @classmethod
    def of(cls, usage: Usage) -> ChatUsage:
        """Return a turn's usage."""
        return cls(
            prompt_tokens=usage["input"],
            completion_tokens=usage["output"],
            total_tokens=usage["input"] + usage["output"],
            prompt_tokens_details=CachedTokens(cached_tokens=usage["cached"]),
        )


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = Field("assistant", description="Whose it is.", examples=["assistant"])
    content: str = Field(description="Its text.", examples=["Within 30 days [1]."])
    refusal: None = Field(None, description="Always null: a refusal is an answer.", examples=[None])
    annotations: list[Annotation] = Field(description="Its citations.")


class Choice(BaseModel):
    """The one answer."""

    index: Literal[0] = Field(0, description="Always 0.", examples=[0])
    message: AnswerMessage = Field(description="The answer.")
    logprobs: None = Field(None, description="Always null.", examples=[None])
    finish_reason: FinishReason = Field(
        description="Why it ends: stop, or length or content_filter where the model was cut off.", examples=["stop"]
    )


class ChatCompletion(BaseModel):
    """An answer."""

    id: str = Field(description="Id of the answer.", examples=["chatcmpl-5be07d"])
    object: Literal["chat.completion"] = Field(
        "chat.completion", description="Kind of the object.", examples=["chat.completion"]
    )
    created: int = Field(description="When it was begun, in seconds since 1970.", examples=[1790000000])
    model: str = Field(description="The model that was asked for.", examples=["helpdesk"])
    choices: list[Choice] = Field(description="The one answer.")
    usage: ChatUsage = Field(description="Tokens of all model calls of the turn.")
    selfhelp: Extension = Field(description="What OpenAI's protocol has no place for.")


def chunk(shell: dict[str, Any], delta: dict[str, Any], finish_reason: FinishReason | None = None) -> dict[str, Any]:
    """Return a piece of a streamed answer.

    Args:
        shell: id, time and model of the answer.
        delta: what is new.
        finish_reason: why the answer ends, in the last piece.
    """
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**shell, "object": "chat.completion.chunk", "choices": [choice]}
