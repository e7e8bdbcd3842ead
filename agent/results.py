"""Outcomes of steps as the thread keeps them: one tool message a call, with passages numbered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AnyMessage, ToolMessage

from agent.consent import needs_consent
from agent.planning.plan import Call
from agent.run import Run
from agent.state import Outcome, Source, Step, sources_of, turn_of
from agent.untrusted import quoted, quoted_line

if TYPE_CHECKING:
    from agent.grounding.contradictions import Contradiction

CHARACTERS_PER_TOKEN = 4
LONGEST_DIFFERENCE = 100


class Numbering:
    """Gives every passage of a thread one number, the same each time it is found.

    Args:
        sources: the passages that have numbers already.
    """

    def __init__(self, sources: Mapping[int, Source]) -> None:
        self._numbers = {(source["uri"], source["text"]): number for number, source in sources.items()}
        self._next = max(sources, default=0) + 1

    def number(self, passage: Mapping[str, Any]) -> Source:
        """Return a passage with its number."""
        key = (passage["uri"], passage["text"])
        if key not in self._numbers:
            self._numbers[key] = self._next
            self._next += 1
        return cast(Source, {"number": self._numbers[key], **passage})


def tool_message(call: Call, outcome: Outcome, numbering: Numbering, budget: int) -> ToolMessage:
    """Return the message that answers a call.

    Args:
        call: the call.
        outcome: what became of it.
        numbering: numbers the passages in it.
        budget: tokens of the result that the model is shown. What is cut is kept whole in the artifact.
    """
    sources = [numbering.number(passage) for passage in outcome["value"]] if outcome["passages"] else []
    text = "\n\n".join(map(shown, sources)) if sources else quoted(_text(outcome))
    parts = (outcome.get("note"), quoted(outcome["error"] or ""), text)
    content, cut = _cut("\n".join(filter(None, parts)), budget * CHARACTERS_PER_TOKEN)
    artifact = ({"sources": sources} if sources else {}) | ({"value": outcome["value"]} if cut and not sources else {})
    return ToolMessage(
        content,
        tool_call_id=call.id,
        name=call.tool,
        status="success" if outcome["status"] == "finished" else "error",
        artifact=artifact or None,
    )


def differing(results: Sequence[ToolMessage], before: Sequence[AnyMessage]) -> list[ToolMessage]:
    """Return results with a note at their end where passages of the turn contradict each other.

    Args:
        results: the results.
        before: the thread before them.
    """
    new = sources_of(results)
    if not new:
        return list(results)
    from agent.grounding.contradictions import contradictions  # its patterns take a while to compile

    found = contradictions((sources_of(turn_of(before)) | new).values())
    notes = [_difference(each) for each in found if each.first in new or each.second in new]
    if not notes:
        return list(results)
    place = max(place for place, result in enumerate(results) if sources_of([result]))
    noted = results[place].model_copy(update={"content": "\n\n".join((str(results[place].text), *notes))})
    return [*results[:place], noted, *results[place + 1 :]]


def done(step: Step, outcome: Outcome) -> Step:
    """Return the record of a step that is done."""
    return {
        **step,
        "resolved": outcome["resolved"],
        "status": outcome["status"],
        "error": outcome["error"],
        "started": outcome["started"],
        "ended": outcome["ended"],
    }


def planned(call: Call, round_number: int, run: Run) -> Step:
    """Return the record of a step that has not started.

    Args:
        call: its call.
        round_number: which reply of the turn asked for it, from 1.
        run: the run, whose policy settles whether a person is asked: it may be another one by the time of the answer.
    """
    tool = run.tools.get(call.tool)
    return Step(
        id=call.id,
        number=call.number,
        round=round_number,
        tool=call.tool,
        args=call.args,
        resolved=None,
        asks=tool is not None and needs_consent(tool, run.context.approvals),
        status="planned",
        error=None,
        started=None,
        ended=None,
    )


def shown(source: Source) -> str:
    """Write a passage as the model is shown it. The passage itself stays whole for those who quote it."""
    return f"{named(source)}\n{quoted(source['text'])}"


def shown_above(source: Source) -> str:
    """Name a passage that the model is shown already."""
    return f"{named(source)}: see [{source['number']}] above"


def named(source: Source) -> str:
    """Write a passage's number and place in one line."""
    page = f", page {source['page']}" if source["page"] else ""
    heading = f" › {quoted_line(source['heading'])}" if source["heading"] else ""
    return f"[{source['number']}] {quoted_line(source['title'])}{heading}{page}"


def _difference(found: Contradiction) -> str:
    said, otherwise = (quoted_line(text)[:LONGEST_DIFFERENCE] for text in (found.said, found.otherwise))
    return f"Note: [{found.first}] and [{found.second}] differ: {said} against {otherwise}."


def _text(outcome: Outcome) -> str:
    value = outcome["value"]
    if value is None and outcome["error"]:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if value != [] else "[] (nothing found)"


def _cut(text: str, limit: int) -> tuple[str, bool]:
    if len(text) <= limit:
        return text, False
    note = f"\n… (the first {limit:,} of {len(text):,} characters; a later call of this plan can refer to the rest)"
    return text[:limit] + note, True
