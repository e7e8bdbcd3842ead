"""The turn that no model can answer: the passages that fit best, quoted under a plain notice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from agent.answer import link_check
from agent.budgets import BudgetSpent
from agent.errors import ModelUnavailable
from agent.run import Run
from agent.state import Source, question_of, sources_of, turn_of
from agent.toolset import SEARCH

QUOTED = 3


def notice_of(error: ModelUnavailable) -> str:
    """Return what a person is told where no model answers: which budget is spent, or why none could be reached."""
    return str(error) if isinstance(error, BudgetSpent) else f"No model could answer ({error})."


def is_degraded(message: AnyMessage) -> bool:
    """Whether a message stands in for a model that could not be reached."""
    return "degraded" in message.response_metadata


def fallback_plan(run: Run, messages: Sequence[AnyMessage], notice: str) -> AIMessage | None:
    """Return the plan to follow without a model: one search for the question, where there is a search.

    Args:
        run: the run.
        messages: the conversation.
        notice: why no model replies.
    """
    if run.tools.get(SEARCH) is None:
        return None
    search = {"name": SEARCH, "args": {"query": question_of(messages)}, "id": f"call_{uuid.uuid4().hex[:16]}"}
    return AIMessage("", tool_calls=[search], response_metadata={"degraded": notice})


def degraded_answer(messages: Sequence[AnyMessage], run: Run, notice: str) -> tuple[AIMessage, list[Source]]:
    """Write the answer from the turn's results as they are, and return it with the passages it quotes.

    Args:
        messages: the conversation with the turn's results.
        run: the run.
        notice: why no model replies.
    """
    turn = turn_of(messages)
    sources = sorted(sources_of(turn).values(), key=lambda source: -source["score"])[:QUOTED]
    parts = [notice]
    if sources:
        parts[0] += " These passages fit the question best:"
        parts += [_quoted(source) for source in sources]
    others = (message for message in turn if isinstance(message, ToolMessage) and message.name != SEARCH)
    if results := [_result(message) for message in others if not message.artifact]:
        parts += ["What was looked up:", "\n".join(results)]
    if not sources and not results:
        parts[0] += " Nothing that fits was found either."
    said, *found = parts
    shown = link_check(messages, run).whole("\n\n".join(found))
    return AIMessage("\n\n".join(filter(None, (said, shown))), response_metadata={"degraded": notice}), sources


def _quoted(source: Source) -> str:
    quote = "\n".join(f"> {line}" for line in source["text"].splitlines())
    return f"{quote}\n\n{source['title']} [{source['number']}]"


def _result(message: ToolMessage) -> str:
    return f"- {message.name}: {message.text}"
