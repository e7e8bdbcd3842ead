"""What a person decided, kept until it has come to the graph, and given to it once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Interrupt
from pydantic import TypeAdapter, ValidationError

from agent.consent import Decision, Edit
from graphs.assistant import AssistantGraph
from service.conversation import Question
from service.runs.records import WrongDecisions

_INTERRUPT = "__interrupt__"
_RESUME = "__resume__"
_DECISIONS: TypeAdapter[list[Decision]] = TypeAdapter(list[Decision])


def check(question: Question, decisions: Sequence[dict[str, Any]]) -> None:
    """Refuse decisions that do not fit what is asked.

    Raises:
        WrongDecisions: they do not.
    """
    actions = question.actions
    if len(decisions) != len(actions):
        raise WrongDecisions(f"there must be one decision for each action: {len(actions)}, not {len(decisions)}")
    try:
        read = _DECISIONS.validate_python(list(decisions))
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongDecisions(f"decisions.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for action, decision in zip(actions, read, strict=True):
        if isinstance(decision, Edit) and decision.edited_action.name != action["name"]:
            raise WrongDecisions(f"an edit changes arguments: the action stays {action['name']!r}")


async def kept(
    graph: AssistantGraph, config: RunnableConfig, question: Question, decisions: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return decisions as a run keeps them: with how often each interrupt was answered before.

    A node's interrupt has one id however often it asks, so that its id alone does not tell a question from the next.
    """
    return {"resume": question.answer(decisions), "answered": await _answered(graph, config)}


async def left_of(graph: AssistantGraph, config: RunnableConfig, decisions: dict[str, Any]) -> dict[str, Any]:
    """Return what of kept decisions has not come to the graph yet."""
    now, then = await _answered(graph, config), decisions["answered"]
    return {name: resume for name, resume in decisions["resume"].items() if now.get(name, 0) == then.get(name, 0)}


async def _answered(graph: AssistantGraph, config: RunnableConfig) -> dict[str, int]:
    """Return how many answers LangGraph has kept for each interrupt of the thread's latest checkpoint."""
    assert isinstance(graph.checkpointer, BaseCheckpointSaver), "the service's graph keeps its threads"
    found = await graph.checkpointer.aget_tuple(config)
    writes = (found.pending_writes if found else None) or []
    names = {task: each.id for task, channel, asked in writes if channel == _INTERRUPT for each in _each(asked)}
    counts = {task: len(answers) for task, channel, answers in writes if channel == _RESUME}
    return {name: counts.get(task, 0) for task, name in names.items()}


def _each(asked: Interrupt | Sequence[Interrupt]) -> Sequence[Interrupt]:
    return [asked] if isinstance(asked, Interrupt) else asked
