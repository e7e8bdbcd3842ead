"""Taking writes back: where a plan ended half done, the model is told what undoes the rest, so that it offers that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.planning.plan import Call
from agent.state import Outcome
from agent.toolset import Toolset


def with_undo_offered(calls: Sequence[Call], outcomes: Mapping[int, Outcome], tools: Toolset) -> dict[int, Outcome]:
    """Return outcomes in which the last write that did not finish says how those that took effect can be taken back.

    Args:
        calls: the calls of a plan.
        outcomes: what became of them, by number.
        tools: the tools of the run. Only one of these is offered.
    """
    unfinished = [call for call in calls if tools.writes(call.tool) and outcomes[call.number]["status"] != "finished"]
    offers = [offer for call in calls if (offer := _offer(call, outcomes[call.number], tools))]
    if not unfinished or not offers:
        return dict(outcomes)
    last = unfinished[-1].number
    note = (
        f"This plan is half done. {' '.join(offers)} Say so in your answer and offer to take it back. "
        "Do not take it back before the person has said yes."
    )
    return {**outcomes, last: {**outcomes[last], "note": "\n".join(filter(None, (outcomes[last].get("note"), note)))}}


def _offer(call: Call, outcome: Outcome, tools: Toolset) -> str | None:
    """Return which tool takes a call back, where one does and there is something to take back."""
    tool = tools.get(call.tool)
    undo = tools.get(tool.undo) if tool is not None and tool.undo else None
    if undo is None or not _took_effect(outcome):
        return None
    return f"Call {call.number} ({call.tool}) took effect, and {undo.name} takes it back."


def _took_effect(outcome: Outcome) -> bool:
    """Whether a write was sent and answered, for some of its elements at least. What a person said it gave was not."""
    if outcome["status"] == "finished":
        return outcome["resolved"] is not None
    value = outcome["value"]
    return isinstance(value, list) and any(element is not None for element in value)
