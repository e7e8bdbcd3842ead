"""One conversation with an assistant graph: a turn in, events out as they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Interrupt

from agent.checkpoints import last_changes, open_checkpointer
from agent.context import Context
from agent.settings import Settings
from agent.state import Flag, Source, State, Step, Usage
from graphs.assistant import AssistantGraph, build


@dataclass(frozen=True)
class Token:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class StepEvent:
    """A step that started, finished, failed or was skipped."""

    id: str
    number: int
    round: int
    tool: str
    status: str
    args: dict[str, Any]
    ms: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Answer:
    """The end of a turn."""

    text: str
    sources: list[Source]
    plan: list[Step]
    usage: Usage
    flags: list[Flag]
    degraded: str | None

    @classmethod
    def of(cls, state: State) -> Answer:
        """Read the answer from a thread's state."""
        last = state["messages"][-1]
        return cls(
            text=str(last.text),
            sources=state["sources"],
            plan=state["plan"],
            usage=state["usage"],
            flags=state.get("flags", []),
            degraded=last.response_metadata.get("degraded") or last.response_metadata.get("broken_off"),
        )


@dataclass(frozen=True)
class Question:
    """Writes that wait for a person, by the id of the interrupt that asks about them."""

    asked: dict[str, list[dict[str, Any]]]

    @classmethod
    def of(cls, interrupts: Sequence[Interrupt]) -> Question:
        """Read the writes from interrupts."""
        return cls({each.id: list(each.value["action_requests"]) for each in interrupts})

    @property
    def actions(self) -> list[dict[str, Any]]:
        """All writes, in order."""
        return [action for actions in self.asked.values() for action in actions]

    def answer(self, decisions: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return what the run goes on with.

        Args:
            decisions: one for each write, in order.
        """
        left = iter(decisions)
        return {name: {"decisions": list(islice(left, len(actions)))} for name, actions in self.asked.items()}


# Threads back in which a turn that is not finished is looked for.
MOST_LOOKED_AT = 200
# Where a checkpoint's metadata keeps the context of its turn.
_CONTEXT = "selfhelp_context"

Event = Token | StepEvent | Answer | Question


@dataclass
class Conversation:
    """A thread and the graph that carries it on.

    Args:
        graph: the assistant, with a checkpointer.
        thread: id of the thread.
        context: how its turns run.
    """

    graph: AssistantGraph
    context: Context
    thread: str = field(default_factory=lambda: uuid4().hex[:12])
    # What the thread holds when a turn has ended.
    state: State | None = field(default=None, init=False)

    @property
    def config(self) -> RunnableConfig:
        """The config that names the thread, and keeps in its checkpoints how its turn runs."""
        wishes = self.context.model_dump_json(exclude_unset=True)
        return RunnableConfig(configurable={"thread_id": self.thread}, metadata={_CONTEXT: wishes})

    async def turn(self, question: str) -> AsyncIterator[Event]:
        """Ask, and yield what happens: steps, tokens of the answer, at the end the answer or what waits to be decided.

        Args:
            question: what the person says.
        """
        async for event in self._stream({"messages": [HumanMessage(question)]}):
            yield event

    async def decide(self, question: Question, decisions: Sequence[dict[str, Any]]) -> AsyncIterator[Event]:
        """Go on where writes waited for a person, and yield what happens.

        Args:
            question: what was asked.
            decisions: one for each write, in order.
        """
        async for event in self._stream(Command(resume=question.answer(decisions))):
            yield event

    async def take_up(self) -> bool:
        """Take up the turn that the thread is in the middle of, in the context that it began in.

        Returns:
            Whether there is one: it waits for a person, or its process died.
        """
        snapshot = await self.graph.aget_state(self.config)
        if wishes := (snapshot.metadata or {}).get(_CONTEXT):
            self.context = Context.model_validate_json(str(wishes))
        return bool(snapshot.next)

    async def carry_on(self) -> AsyncIterator[Event]:
        """Go on with a turn whose process died, and yield what happens. Nothing that finished runs again."""
        async for event in self._stream(None):
            yield event

    async def waiting(self) -> Question | None:
        """Return what the thread waits for a person to decide, if anything."""
        snapshot = await self.graph.aget_state(self.config)
        return Question.of(snapshot.interrupts) if snapshot.interrupts else None

    async def _stream(self, asked: Any) -> AsyncIterator[Event]:
        state: Any = None
        modes: Any = ["messages", "custom", "values"]
        stream: AsyncIterator[Any] = self.graph.astream(asked, self.config, context=self.context, stream_mode=modes)
        async for mode, data in stream:
            if mode == "values":
                state = data
            elif mode == "custom" and data["type"] == "step":
                yield StepEvent(**{key: value for key, value in data.items() if key != "type"})
            elif mode == "messages" and (text := _answer_text(data[0])):
                yield Token(text)
        assert state is not None, "a run ends with its state"
        self.state = state
        interrupts = state.get("__interrupt__")
        yield Question.of(interrupts) if interrupts else Answer.of(state)

    async def messages(self) -> list[AnyMessage]:
        """Return the thread's messages so far."""
        snapshot = await self.graph.aget_state(self.config)
        return list(snapshot.values.get("messages", ()))


class Desk:
    """Opens an assistant over the deployment's settings, and closes what it opened.

    Args:
        settings: the settings.
        options: further arguments of `build`.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.settings = settings
        self._options = options
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        checkpointer = await self._stack.enter_async_context(open_checkpointer(self.settings))
        self.checkpointer = checkpointer
        self.graph = build(settings=self.settings, checkpointer=checkpointer, **self._options)
        return self

    async def latest_thread(self) -> str | None:
        """Return the id of the thread that was talked in last, if there is any."""
        async for latest in self.checkpointer.alist(None, limit=1):
            return str(latest.config["configurable"]["thread_id"])
        return None

    async def latest_unfinished(self) -> str | None:
        """Return the id of the command line's thread that waits for a person or was cut off, the latest of those."""
        changes = await last_changes(self.checkpointer)
        for thread in sorted(changes, key=lambda name: changes[name], reverse=True)[:MOST_LOOKED_AT]:
            snapshot = await self.graph.aget_state(RunnableConfig(configurable={"thread_id": thread}))
            if snapshot.next and _CONTEXT in (snapshot.metadata or {}):
                return thread
        return None

    async def __aexit__(self, *failure: object) -> None:
        await self._stack.aclose()


def _answer_text(message: AnyMessage) -> str:
    """Return the text of a streamed message that belongs to the answer: tokens, or an answer that comes whole."""
    if isinstance(message, AIMessageChunk):
        return str(message.text)
    if isinstance(message, AIMessage) and not message.tool_calls:
        return str(message.text)
    return ""
