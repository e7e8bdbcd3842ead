"""What a thread holds between turns, and what a step leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypeVar

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.channels import DeltaChannel
from langgraph.graph.message import _messages_delta_reducer
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agent.budgets import Spent

Message = TypeVar("Message", bound=BaseMessage)
StepStatus = Literal["planned", "finished", "failed", "skipped", "rejected"]
FlagKind = Literal["number", "name", "unsupported", "contradiction"]

# LangGraph takes a snapshot after 5,000 steps, which are 1,000 turns, and none is wanted before: over 500 turns of 5
# results of 2 KB, one at every thousandth update makes a turn half as large again, and a thread loads as fast without.
SNAPSHOT_FREQUENCY = 5000


class Passage(BaseModel):
    """A piece of a document, as a search finds it. A tool that returns a list of these gets its results cited."""

    id: str = Field("", description="Key of the passage in the knowledge base.")
    document: str = Field(description="Name of the document within its source.")
    title: str = Field(description="Title of the document.")
    heading: str = Field("", description="Path of headings above the passage, outermost first.")
    page: int | None = Field(None, description="Page that it starts on, from 1, where the document has pages.")
    first_line: int | None = Field(None, description="Line that it starts on, from 1, where the document has lines.")
    last_line: int | None = Field(None, description="Line that it ends on.")
    uri: str = Field(description="Path or address at which the document can be opened.")
    text: str = Field(description="The passage itself, as it stands in the document.")
    score: float = Field(0.0, description="How well it fits the query, from 0 to 1.")


class Source(TypedDict):
    """A passage with its number in the thread."""

    number: Annotated[int, Field(description="What the answer cites it by.", examples=[1])]
    id: Annotated[str, Field(description="Key of the passage in the knowledge base.", examples=["5f0c"])]
    document: Annotated[str, Field(description="Name of the document within its source.", examples=["returns.md"])]
    title: Annotated[str, Field(description="Title of the document.", examples=["Returns"])]
    heading: Annotated[str, Field(description="Headings above it, outermost first.", examples=["Returns › Tents"])]
    page: Annotated[int | None, Field(description="Page that it starts on, where there are pages.", examples=[3])]
    first_line: Annotated[int | None, Field(description="Line that it starts on, where there are lines.", examples=[5])]
    last_line: Annotated[int | None, Field(description="Line that it ends on.", examples=[9])]
    uri: Annotated[str, Field(description="Where the document can be opened.", examples=["docs/returns.md"])]
    text: Annotated[str, Field(description="The passage, as it stands there.", examples=["Tents: 30 days."])]
    score: Annotated[float, Field(description="How well it fits the query, from 0 to 1.", examples=[0.82])]


class Step(TypedDict):
    """One tool call of the turn's plan."""

    id: Annotated[str, Field(description="Id of the tool call, as its ToolMessage carries it.", examples=["call_7d"])]
    number: Annotated[int, Field(description="Place in its reply, from 1: what `${N}` refers to.", examples=[1])]
    round: Annotated[int, Field(description="Which reply of the turn asked for it, from 1.", examples=[1])]
    tool: Annotated[str, Field(description="Name of the tool.", examples=["getOrder"])]
    args: Annotated[
        dict[str, Any],
        Field(description="Arguments as the model wrote them, references included.", examples=[{"id": "${1.order}"}]),
    ]
    resolved: Annotated[
        Any, Field(description="Arguments it ran with; a list of them where it fanned out.", examples=[{"id": 1042}])
    ]
    asks: Annotated[
        NotRequired[bool],
        Field(description="Whether a person is asked first, as settled with the plan.", examples=[True]),
    ]
    status: Annotated[StepStatus, Field(description="What became of it.", examples=["finished"])]
    error: Annotated[str | None, Field(description="Why it failed or was skipped.", examples=[None])]
    started: Annotated[float | None, Field(description="Start, in seconds since 1970.", examples=[1790000000.1])]
    ended: Annotated[float | None, Field(description="End, in seconds since 1970.", examples=[1790000000.4])]


class Outcome(TypedDict):
    """What running a step gave: plain data, so that it is persisted as it is."""

    call_id: str
    status: StepStatus
    value: Any
    passages: bool
    resolved: Any
    error: str | None
    note: NotRequired[str]
    started: float
    ended: float


class ModelCall(TypedDict):
    """What one model call used. Tokens are 0 where the provider did not count them."""

    id: Annotated[str, Field(description="Id of the call.", examples=["7d1c"])]
    node: Annotated[str, Field(description="The node that asked.", examples=["planner"])]
    round: Annotated[int, Field(description="Which reply of the turn it was for, from 1.", examples=[1])]
    model: Annotated[str, Field(description="The model, as provider:model.", examples=["openai:gpt-6-luna"])]
    at: Annotated[float, Field(description="When it began, in seconds since 1970.", examples=[1790000000.0])]
    input: Annotated[int, Field(description="Tokens of the prompt.", examples=[1500])]
    cached: Annotated[int, Field(description="Those of them that the provider had kept.", examples=[1024])]
    cache_write: Annotated[int, Field(description="Those of them that the provider keeps from then on.", examples=[0])]
    output: Annotated[int, Field(description="Tokens of the reply.", examples=[80])]
    reasoning: Annotated[int, Field(description="Those of them that it thought with.", examples=[0])]
    cost: Annotated[
        float | None, Field(description="US dollars; null where the price is not known.", examples=[0.0002])
    ]


class Usage(TypedDict):
    """What the turn used. `cost` is in US dollars, and None as soon as one call's price is unknown."""

    calls: Annotated[list[ModelCall], Field(description="Each model call.")]
    input: Annotated[int, Field(description="Tokens of all prompts.", examples=[3100])]
    cached: Annotated[int, Field(description="Those of them that the provider had kept.", examples=[2048])]
    cache_write: Annotated[int, Field(description="Those of them that the provider keeps from then on.", examples=[0])]
    output: Annotated[int, Field(description="Tokens of all replies.", examples=[160])]
    reasoning: Annotated[int, Field(description="Those of them that were thought with.", examples=[0])]
    cost: Annotated[float | None, Field(description="US dollars; null if one price is not known.", examples=[0.0004])]
    citations_removed: Annotated[int, Field(description="Numbers that stood for no passage.", examples=[0])]
    links_removed: Annotated[int, Field(description="Links and images that were not let through.", examples=[0])]
    reused: Annotated[
        bool, Field(description="Whether the answer was kept from before, and no model was asked.", examples=[False])
    ]
    spent: Annotated[
        Spent | None, Field(description="The budget that allowed no further model call, if any.", examples=[None])
    ]


class Summary(TypedDict):
    """What a prompt holds in the place of a thread's old turns."""

    text: Annotated[str, Field(description="The record of them.")]
    up_to: Annotated[str, Field(description="Id of the last message that it takes in.")]


class Flag(TypedDict):
    """Something in an answer that is to be doubted. `text` is what stands in the answer, "" where it is all of it."""

    kind: Annotated[FlagKind, Field(description="What is wrong with it.", examples=["number"])]
    text: Annotated[
        str, Field(description="The words of the answer; empty where the whole answer is meant.", examples=["14 days"])
    ]
    detail: Annotated[str, Field(description="Why it is to be doubted.", examples=["no source says 14"])]


class Input(TypedDict):
    """What a turn begins with."""

    messages: Annotated[
        list[AnyMessage], Field(title="Messages", description="The new message: what the person asks or says.")
    ]


class State(TypedDict):
    """A thread. `plan`, `sources`, `usage` and `flags` are of the latest turn; the rest, and passage numbers, go on."""

    messages: Annotated[
        list[AnyMessage],
        Field(title="Messages", description="The conversation, tool calls and results included."),
        DeltaChannel(_messages_delta_reducer, snapshot_frequency=SNAPSHOT_FREQUENCY),
    ]
    plan: Annotated[NotRequired[list[Step]], Field(title="Plan", description="The turn's steps.")]
    sources: Annotated[
        NotRequired[list[Source]], Field(title="Sources", description="The passages that the answer cites.")
    ]
    usage: Annotated[NotRequired[Usage], Field(title="Usage", description="Tokens and cost of the turn.")]
    summary: Annotated[
        NotRequired[Summary | None], Field(title="Summary", description="The old turns as the model is told of them.")
    ]
    flags: Annotated[NotRequired[list[Flag]], Field(title="Flags", description="What in the answer nothing bears out.")]


def turn_of(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages of the turn under way: those after the last message of a person."""
    start = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    return messages[start + 1 :]


def question_of(messages: Sequence[AnyMessage]) -> str:
    """Return the text of the last message of a person."""
    return next((str(message.text) for message in reversed(messages) if isinstance(message, HumanMessage)), "")


def turn_id(messages: Sequence[AnyMessage]) -> str | None:
    """Return the id of the turn under way, which is that of its question."""
    return next((message.id for message in reversed(messages) if isinstance(message, HumanMessage)), None)


def rounds_of(messages: Sequence[AnyMessage]) -> int:
    """Count the replies of the turn under way that asked for tool calls."""
    return sum(isinstance(message, AIMessage) and bool(calls_of(message)) for message in turn_of(messages))


def calls_of(message: AIMessage) -> list[str]:
    """Return the ids of the calls in a reply, malformed ones included."""
    return [str(call["id"]) for call in (*message.tool_calls, *message.invalid_tool_calls)]


def records_of(messages: Iterable[BaseMessage]) -> dict[str, str]:
    """Return the ids of all calls in a thread by what their writes are on record by.

    That is not the id alone: there are servers that begin to count anew with every reply, in every thread.
    """
    return {
        record_of(message, call_id): call_id
        for message in messages
        if isinstance(message, AIMessage)
        for call_id in calls_of(message)
    }


def record_of(reply: AIMessage, call_id: str) -> str:
    """Return what the writes of a call are on record by: the same in a copy of its thread."""
    return f"{reply.id} {call_id}"


def sources_of(messages: Iterable[BaseMessage]) -> dict[int, Source]:
    """Return the thread's passages by number. They travel as artifacts of the tool messages that showed them."""
    return {
        source["number"]: source
        for message in messages
        if isinstance(message, ToolMessage) and isinstance(message.artifact, dict)
        for source in message.artifact.get("sources", ())
    }


def no_usage() -> Usage:
    """Return the usage of a turn that has not called a model yet."""
    return Usage(
        calls=[],
        input=0,
        cached=0,
        cache_write=0,
        output=0,
        reasoning=0,
        cost=0.0,
        citations_removed=0,
        links_removed=0,
        reused=False,
        spent=None,
    )
