"""Copies of threads: what was said up to the end of a turn, with its passages and numbers, in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from graphs.assistant import AssistantGraph
from service.threads.messages import messages_of


@dataclass(frozen=True)
class Point:
    """The end of a turn, from which a thread can be forked.

    Args:
        id: the checkpoint.
        at: when the turn ended, in seconds since 1970.
        text: its question.
        message_id: its answer.
    """

    id: str
    at: float
    text: str
    message_id: str


class Forks:
    """Copies threads.

    Args:
        graph: the assistant, over the service's checkpointer.
    """

    def __init__(self, graph: AssistantGraph) -> None:
        assert isinstance(graph.checkpointer, BaseCheckpointSaver), "the service's graph keeps its threads"
        self._graph = graph
        self._checkpointer = graph.checkpointer

    async def points(self, thread_id: str) -> list[Point]:
        """Return the ends of a thread's turns, the latest first."""
        answered = _answered((await self._graph.aget_state(_config(thread_id))).values)
        points = []
        for end in await self._ends(thread_id):
            turn = answered.get(end.metadata.get("run_id", "")) or await self._turn(end)
            if turn:
                checkpoint = end.checkpoint
                at = datetime.fromisoformat(checkpoint["ts"]).timestamp()
                points.append(Point(checkpoint["id"], at, *turn))
        return points

    async def _ends(self, thread_id: str) -> list[CheckpointTuple]:
        """Return the last checkpoint of each turn, the latest first."""
        ends, later = [], None
        # The saver is locked while it lists, so that nothing else is asked of it here.
        async for checkpoint in self._checkpointer.alist(_config(thread_id)):
            turn = checkpoint.metadata.get("run_id") or checkpoint.metadata.get("source")
            if turn != later:
                ends.append(checkpoint)
            later = turn
        return ends

    async def fork(self, thread_id: str, checkpoint: str | None, into: str) -> bool:
        """Copy a thread, and return whether there was such a checkpoint.

        Args:
            thread_id: the thread.
            checkpoint: the end of a turn; the latest where None.
            into: id of the new thread.
        """
        points = await self.points(thread_id)
        chosen = next((point for point in points if checkpoint in (None, point.id)), None)
        if chosen is None:
            return checkpoint is None
        snapshot = await self._graph.aget_state(_config(thread_id, chosen.id))
        await self._graph.aupdate_state(_config(into), snapshot.values, as_node="responder")
        return True

    async def _turn(self, end: CheckpointTuple) -> tuple[str, str] | None:
        """Return question and answer of a turn that names no run, such as one of a thread that is a fork itself."""
        snapshot = await self._graph.aget_state(end.config)
        if snapshot.next:
            return None
        return next(reversed(_answered(snapshot.values).values()), None)


def _answered(values: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the turns that were answered, in order: the question's text and the answer's id by the question's id."""
    return {
        question.id: (question.text, answer.id)
        for question, answer in pairwise(messages_of(values))
        if question.role == "user" and answer.role == "assistant" and answer.text
    }


def _config(thread_id: str, checkpoint: str | None = None) -> RunnableConfig:
    named: dict[str, Any] = {"checkpoint_id": checkpoint} if checkpoint else {}
    return RunnableConfig(configurable={"thread_id": thread_id, "checkpoint_ns": ""} | named)
