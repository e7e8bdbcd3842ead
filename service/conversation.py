"""One conversation with an assistant graph: a turn in, events out as they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from agent.checkpoints import open_checkpointer
from agent.context import Context
from agent.settings import Settings
from agent.state import Source, State, Step, Usage
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
            degraded=last.response_metadata.get("degraded") or last.response_metadata.get("broken_off"),
        )


Event = Token | StepEvent | Answer


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

    @property
    def config(self) -> RunnableConfig:
        """The config that names the thread."""
        return RunnableConfig(configurable={"thread_id": self.thread})

    async def turn(self, question: str) -> AsyncIterator[Event]:
        """Ask, and yield what happens: steps, tokens of the answer, and the answer at the end.

        Args:
            question: what the person says.
        """
        state: State | None = None
        asked = {"messages": [HumanMessage(question)]}
        modes = ["messages", "custom", "values"]
        async for mode, data in self.graph.astream(asked, self.config, context=self.context, stream_mode=modes):  # type: ignore[call-overload]
            if mode == "values":
                state = data
            elif mode == "custom":
                yield StepEvent(**{key: value for key, value in data.items() if key != "type"})
            elif text := _answer_text(data[0]):
                yield Token(text)
        assert state is not None, "a run ends with its state"
        yield Answer.of(state)

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
        self._threads = checkpointer
        self.graph = build(settings=self.settings, checkpointer=checkpointer, **self._options)
        return self

    async def latest_thread(self) -> str | None:
        """Return the id of the thread that was talked in last, if there is any."""
        async for latest in self._threads.alist(None, limit=1):
            return str(latest.config["configurable"]["thread_id"])
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
