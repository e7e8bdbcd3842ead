"""What requests and responses about threads and runs are made of."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Header, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agent.budgets import Budgets
from agent.plain import legible, plain
from service.runs.records import Status
from service.threads.store import State

Item = TypeVar("Item")

_WHEN = 1790000000.0

# PostgreSQL keeps no text with a null character in it.
Text = Annotated[str, AfterValidator(lambda text: legible(text.replace("\0", "")))]

_ID = r"^[A-Za-z0-9_-]{1,64}$"

ThreadId = Annotated[str, Path(pattern=_ID, description="Id of the thread.", examples=["3f6c1d"])]
RunId = Annotated[str, Path(pattern=_ID, description="Id of the run.", examples=["9a1b2c"])]
Details = Annotated[
    dict[str, Any], AfterValidator(plain), Field(description="Anything to keep with it.", examples=[{"ticket": 7}])
]
Persona = Annotated[Text, Field(max_length=100, description="Name of the persona that speaks.", examples=["helpdesk"])]
Title = Annotated[Text, Field(max_length=200, description="Title.", examples=["Returning a tent"])]


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item] = Field(description="What is on the page.", examples=[[]])
    next: str | None = Field(None, description="What to ask for the next page with, if there is one.", examples=[None])


class NewThread(BaseModel):
    """A thread to be made."""

    model_config = ConfigDict(extra="forbid")

    title: Title = Field("", description="Title; when empty, the first words of the first question.")
    persona: Persona | None = Field(
        None, description="Who speaks; as the settings say when left out.", examples=["helpdesk"]
    )
    details: Details = Field(default_factory=dict, description="Anything to keep with it.")


class ThreadChange(BaseModel):
    """What is to be changed of a thread. What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = Field(None, description="Title.", examples=["Returning a tent"])
    persona: Persona | None = Field(None, description="Who speaks from now on.", examples=["tutor"])
    details: Details | None = Field(
        None, description="Anything to keep with it, in place of what was kept.", examples=[{"ticket": 8}]
    )


class ThreadBody(BaseModel):
    """A thread."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Its id.", examples=["3f6c1d"])
    title: str = Field(description="Its title.", examples=["Returning a tent"])
    persona: str | None = Field(description="Who speaks; as the settings say when null.", examples=["helpdesk"])
    origin: str = Field(description="What it was made through: service, or openai.", examples=["service"])
    details: dict[str, Any] = Field(description="What is kept with it.", examples=[{"ticket": 7}])
    created: float = Field(description="When it was made, in seconds since 1970.", examples=[_WHEN])
    updated: float = Field(description="When it was last asked or changed, in seconds since 1970.", examples=[_WHEN])
    status: State = Field(description="Whether a run is under way, or waits for a person.", examples=["idle"])


class RunContext(BaseModel):
    """How a run behaves, where it is not to be as persona and settings say."""

    model_config = ConfigDict(extra="forbid")

    persona: Persona | None = Field(None, description="Who speaks in this run.", examples=["tutor"])
    temperature: float | None = Field(
        None, ge=0, le=2, description="Sampling temperature, where the model takes one.", examples=[0.2]
    )
    max_tokens: int | None = Field(
        None, ge=16, le=1_000_000, description="The most tokens of one reply of the model.", examples=[1000]
    )
    collection: Text | None = Field(
        None, max_length=100, description="Collection of documents to search.", examples=["default"]
    )
    top_k: int | None = Field(None, ge=1, le=50, description="How many passages a search returns.", examples=[4])
    neighbours: int | None = Field(
        None, ge=0, le=10, description="How many passages before and behind each are joined to it.", examples=[1]
    )
    passage_tokens: int | None = Field(
        None, ge=50, le=1_000_000, description="Tokens that the passages of a search may have.", examples=[1500]
    )
    max_rounds: int | None = Field(
        None, ge=1, le=20, description="How often the turn may ask for tool calls.", examples=[4]
    )
    budgets: Budgets | None = Field(
        None,
        description="What model calls may use, beside what the operator allows.",
        examples=[{"turn": {"cost": 0.01}}],
    )


class NewRun(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(max_length=200_000, description="What the person says.", examples=["Can I return a tent?"])
    context: RunContext = Field(default_factory=RunContext, description="How the run behaves.", examples=[{"top_k": 4}])
    if_busy: Literal["queue", "refuse"] = Field(
        "refuse", description="What to do while a run of the thread is under way.", examples=["refuse"]
    )


class RunBody(BaseModel):
    """A run."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Its id, which is its question's too.", examples=["9a1b2c"])
    thread_id: str = Field(description="Its thread.", examples=["3f6c1d"])
    status: Status = Field(description="Where it stands.", examples=["running"])
    created: float = Field(description="When it was asked for, in seconds since 1970.", examples=[_WHEN])
    started: float | None = Field(description="When it began.", examples=[_WHEN])
    ended: float | None = Field(description="When it ended.", examples=[None])
    error: str | None = Field(description="Why it failed.", examples=[None])


class Action(BaseModel):
    """A write that waits for a person."""

    name: str = Field(description="Name of the tool.", examples=["create_refund"])
    args: dict[str, Any] = Field(description="Its arguments, with references resolved.", examples=[{"order": 1042}])
    description: str = Field(description="The exact request.", examples=["POST https://shop/orders/1042/refunds"])


class Waiting(BaseModel):
    """What a run waits for."""

    run_id: str = Field(description="The run.", examples=["9a1b2c"])
    thread_id: str = Field(description="Its thread.", examples=["3f6c1d"])
    title: str = Field(description="The thread's title.", examples=["Refund order 1042"])
    since: float = Field(description="When it was asked for, in seconds since 1970.", examples=[_WHEN])
    actions: list[Action] = Field(description="What is to be decided on, in order.", examples=[[]])


LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=9, description="Number of the last event that was seen.", examples=["12"]),
]
After = Annotated[
    int | None,
    Query(
        ge=0, le=999_999_999, description="Number of the last event that was seen, like Last-Event-ID.", examples=[12]
    ),
]
