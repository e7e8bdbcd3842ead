"""Responses on the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from agent.state import Usage
from service.http.openai.chat_models import OWN_TOOLS, CachedTokens, ChatMessage
from service.http.openai.errors import Refused
from service.http.openai.sources import UrlCitation
from service.http.openai.wire import MOST_TOKENS, Body, Content, Extension

Status = Literal["in_progress", "completed", "incomplete", "failed"]

REFUSED: Refused = {
    "tools": (([],), OWN_TOOLS),
    "tool_choice": (("none", "auto"), OWN_TOOLS),
    "background": ((False,), "start a run with POST /api/threads/{id}/runs instead"),
    "conversation": ((), "go on with previous_response_id"),
    "prompt": ((), "personas are the prompts; choose one as model"),
    "text": (
        ({"format": {"type": "text"}},),
        "answers are text with citations; ask for a form of text in instructions",
    ),
    "top_logprobs": ((0,), "an answer can be made of several model calls; leave it out"),
}


class InputItem(BaseModel):
    """A message that goes in, or what a client sends back of an earlier response, of which only messages are read."""

    type: Literal["message", "reasoning", "function_call", "function_call_output"] = Field(
        "message", description="Kind of the item.", examples=["message"]
    )
    role: Literal["system", "developer", "user", "assistant"] = Field(
        "user", description="Whose it is.", examples=["user"]
    )
    content: Content | None = Field(
        None, description="Text, or a list of text parts.", examples=["How long can I return a tent?"]
    )


class ResponseRequest(Body):
    """A request for a response."""

    model: str = Field(description="Name of a persona, or selfhelp for the default one.", examples=["helpdesk"])
    input: str | list[InputItem] = Field(
        description="The question, or messages with the question last.", examples=["How long can I return a tent?"]
    )
    instructions: str | None = Field(
        None, description="What the application asks for, in this turn.", examples=["Answer in German."]
    )
    previous_response_id: str | None = Field(
        None, description="The response that this one goes on from.", examples=["resp_5be07d"], max_length=64
    )
    store: bool | None = Field(
        None, description="Whether the conversation is kept; it is, unless false.", examples=[True]
    )
    stream: bool | None = Field(None, description="Whether the answer comes in events.", examples=[False])
    temperature: float | None = Field(None, ge=0, le=2, description="Sampling temperature.", examples=[0.2])
    max_output_tokens: int | None = Field(
        None,
        ge=1,
        le=MOST_TOKENS,
        description="The most tokens of one model call; at least 16 are given.",
        examples=[500],
    )
    metadata: dict[str, str] | None = Field(None, description="Given back as it is.", examples=[{"ticket": "7"}])

    @property
    def messages(self) -> list[ChatMessage]:
        """What goes in, instructions first."""
        items = [InputItem(content=self.input)] if isinstance(self.input, str) else self.input
        said = [ChatMessage(role=item.role, content=item.content) for item in items if item.type == "message"]
        if not self.instructions:
            return said
        return [ChatMessage(role="developer", content=self.instructions), *said]


class TextAnnotation(UrlCitation):
    """A citation, as OpenAI's web search writes them."""

    type: Literal["url_citation"] = Field("url_citation", description="Its kind.", examples=["url_citation"])


class OutputText(BaseModel):
    """The text of an answer."""

    type: Literal["output_text"] = Field("output_text", description="Kind of the part.", examples=["output_text"])
    text: str = Field("", description="The text.", examples=["Within 30 days [1]."])
    annotations: list[TextAnnotation] = Field(default_factory=list, description="Its citations.")
    logprobs: list[Any] = Field(default_factory=list, description="Always empty.", examples=[[]])


class OutputMessage(BaseModel):
    """The answer."""

    id: str = Field(description="Id of the message.", examples=["msg_5be07d"])
    type: Literal["message"] = Field("message", description="Kind of the item.", examples=["message"])
    role: Literal["assistant"] = Field("assistant", description="Whose it is.", examples=["assistant"])
    status: Status = Field("in_progress", description="How far it is.", examples=["completed"])
    content: list[OutputText] = Field(default_factory=list, description="Its text, in one part.")


class ReasoningTokens(BaseModel):
    """What of the tokens written was not shown."""

    reasoning_tokens: int = Field(0, description="Always 0: they are counted with the rest.", examples=[0])


class InputTokens(CachedTokens):
    """What of the tokens read cost less or more."""

    cache_write_tokens: int = Field(0, description="Always 0.", examples=[0])


class ResponseUsage(BaseModel):
    """Tokens of all model calls of the turn."""

    input_tokens: int = Field(description="Tokens read.", examples=[1500])
    input_tokens_details: InputTokens = Field(description="What of them cost less.")
    output_tokens: int = Field(description="Tokens written.", examples=[80])
    output_tokens_details: ReasoningTokens = Field(description="What of them was not shown.")
    total_tokens: int = Field(description="Both.", examples=[1580])

    @classmethod
    def of(cls, usage: Usage) -> ResponseUsage:
        """Return a turn's usage."""
        return cls(
            input_tokens=usage["input"],
            input_tokens_details=InputTokens(cached_tokens=usage["cached"]),
            output_tokens=usage["output"],
            output_tokens_details=ReasoningTokens(),
            total_tokens=usage["input"] + usage["output"],
        )


class ResponseFailure(BaseModel):
    """Why there is no answer."""

    code: Literal["server_error"] = Field("server_error", description="Always the same.", examples=["server_error"])
    message: str = Field(description="What went wrong.", examples=["the turn failed"])


class Incomplete(BaseModel):
    """Why an answer is not whole."""

    reason: Literal["max_output_tokens", "content_filter"] = Field(
        description="What cut it off.", examples=["max_output_tokens"]
    )


class Response(BaseModel):
    """A response."""

    id: str = Field(description="Id of the response.", examples=["resp_5be07d"])
    object: Literal["response"] = Field("response", description="Kind of the object.", examples=["response"])
    created_at: float = Field(description="When it was begun, in seconds since 1970.", examples=[1790000000])
    status: Status = Field("in_progress", description="How far it is.", examples=["completed"])
    error: ResponseFailure | None = Field(None, description="Why there is no answer.")
    incomplete_details: Incomplete | None = Field(None, description="Why the answer is not whole.")
    instructions: str | None = Field(None, description="What the application asked for.", examples=["Be brief."])
    metadata: dict[str, str] = Field(default_factory=dict, description="As it was given.", examples=[{}])
    model: str = Field(description="The model that was asked for.", examples=["helpdesk"])
    output: list[OutputMessage] = Field(default_factory=list, description="The answer.")
    parallel_tool_calls: bool = Field(True, description="Always true.", examples=[True])
    previous_response_id: str | None = Field(None, description="What it goes on from.", examples=[None])
    store: bool = Field(description="Whether it is kept.", examples=[True])
    temperature: float | None = Field(None, description="As it was given.", examples=[None])
    max_output_tokens: int | None = Field(None, description="As it was given.", examples=[None])
    tool_choice: Literal["auto"] = Field("auto", description="Always auto.", examples=["auto"])
    tools: list[Any] = Field(
        default_factory=list, description="Always empty: the persona's are not shown.", examples=[[]]
    )
    top_p: float | None = Field(None, description="Always null.", examples=[None])
    usage: ResponseUsage | None = Field(None, description="Tokens of all model calls of the turn.")
    selfhelp: Extension | None = Field(None, description="What OpenAI's protocol has no place for.")


class Deleted(BaseModel):
    """What was deleted."""

    id: str = Field(description="Id of the response.", examples=["resp_5be07d"])
    object: Literal["response"] = Field("response", description="Kind of the object.", examples=["response"])
    deleted: bool = Field(True, description="Always true.", examples=[True])
