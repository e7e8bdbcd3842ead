"""What a run does: its turn of the thread, from wherever it stands."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agent.context import Context
from agent.state import State
from graphs.assistant import AssistantGraph
from service.conversation import Answer, Conversation, Event
from service.runs.decisions import left_of
from service.runs.records import Run
from service.threads.messages import Message, messages_of


@dataclass
class Turn(Conversation):
    """The turn of a thread that a run is."""

    run_id: str = ""

    @classmethod
    def of(cls, graph: AssistantGraph, run: Run) -> Turn:
        """Return the turn of a run."""
        # The owner is the thread's, whatever the context says.
        context = Context(**run.context | {"owner": run.owner})
        return cls(graph, context, run.thread_id, run.id)

    @property
    def config(self) -> RunnableConfig:
        """The config that names thread and run. By its name, LangGraph goes on with a run that it has begun."""
        return RunnableConfig(configurable=super().config["configurable"] | {"run_id": self.run_id})

    async def begin(self, run: Run) -> AsyncIterator[Event]:
        """Begin the turn, or go on with it where it was begun before."""
        async for event in self._stream({"messages": [HumanMessage(run.input["text"], id=run.id)]}):
            yield event

    async def go_on(self, run: Run) -> AsyncIterator[Event]:
        """Go on with a turn that has waited for a person."""
        snapshot = await self.graph.aget_state(self.config)
        left = await left_of(self.graph, self.config, run.decisions) if run.decisions else {}
        if not (left or snapshot.next):
            self.state = cast("State", snapshot.values)
            yield Answer.of(self.state)
            return
        async for event in self._stream(Command(resume=left) if left else None):
            yield event

    def answer(self) -> Message:
        """Return the answer, once the turn has ended."""
        assert self.state is not None, "a turn ends with its state"
        return messages_of(self.state)[-1].model_copy(update={"at": time.time()})
