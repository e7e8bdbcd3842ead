"""What chat completions and responses share on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agent.budgets import Spent
from agent.plain import plain
from agent.state import Flag, Source, Step
from service.http.streams import EVENT_STREAM

# OpenAI's Responses API takes no smaller limit either; a plan cut shorter than this is of no use.
LEAST_TOKENS = 16
MOST_TOKENS = 1_000_000


class Body(BaseModel):
    """A request. Fields of OpenAI's that are not named and change no meaning are ignored."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: object) -> object:
        if isinstance(given, bytes):
            raise ValueError("it is not JSON: send Content-Type: application/json")  # noqa: TRY004 - pydantic takes no other
        return plain(given)


# What /docs says of an answer in pieces.
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, whole or with `stream` in pieces.",
        "content": {EVENT_STREAM: {"example": "data: {…}\n\n"}},
    }
}


class Part(BaseModel):
    """A piece of a message."""

    type: Literal["text", "input_text", "output_text", "refusal"] = Field(
        description="Kind of the piece: only text is read.", examples=["text"]
    )
    text: str = Field("", description="The text.", examples=["How long can I return a tent?"])
    refusal: str = Field("", description="The text of a refusal.", examples=[""])


def _as_parts(content: object) -> object:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Content = Annotated[list[Part], BeforeValidator(_as_parts, json_schema_input_type=str | list[Part])]


def text_of(content: list[Part] | None) -> str:
    """Return the text of a message."""
    # PostgreSQL keeps no text with a null character in it.
    return "\n".join(part.text or part.refusal for part in content or ()).replace("\0", "")


class Extension(BaseModel):
    """What this service knows of an answer beyond OpenAI's protocol."""

    model_config = ConfigDict(json_schema_extra={"description": "What OpenAI's protocol has no place for."})

    sources: list[Source] = Field(description="The passages that the answer cites, by their number in the text.")
    plan: list[Step] = Field(description="The tool calls of the turn.")
    cost: float | None = Field(description="US dollars; null where a price is not known.", examples=[0.0004])
    degraded: str | None = Field(
        description="Why the answer is less than it should be, where it is.", examples=["the server failed (HTTP 500)"]
    )
    spent: Spent | None = Field(description="The budget that allowed no further model call, if any.", examples=[None])
    flags: list[Flag] = Field(description="What in the answer nothing bears out.", examples=[[]])
    waiting: Waiting | None = Field(description="The requests that wait for a person, where the turn stopped at some.")


class Waiting(BaseModel):
    """Requests that are not sent before a person approves them."""

    thread_id: str = Field(description="The thread they belong to.", examples=["9f1c2a"])
    run_id: str = Field(description="What to decide on: POST /api/runs/{run_id}/decisions.", examples=["5be07d"])
    actions: list[dict[str, Any]] = Field(
        description="Each request: name, args and a description.",
        examples=[[{"name": "create_refund", "args": {"order": 7}, "description": "POST /refunds"}]],
    )


Extension.model_rebuild()
