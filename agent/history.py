"""What of a thread a prompt holds: a record of its old turns, the turns since, and no passage twice.

Only the prompt is shortened. The thread keeps every message, so that what was said stays readable and every passage
opens. What is left out follows from the messages before it alone, so a prompt grows at its end only, up to the next
summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from agent.context import Context
from agent.knowledge.passages import telling_sentences
from agent.prompts import RECORD
from agent.results import shown, shown_above
from agent.state import Source, Summary

# How much of the budget stays word for word when the rest is summarised: little, so that summaries are rare and take in
# much at once. The latest turn may be larger, as the next question is often about it.
KEPT, KEPT_LATEST = 1 / 4, 1 / 2


def remembered(
    messages: Sequence[AnyMessage], summary: Summary | None, context: Context, window: int | None = None
) -> list[AnyMessage]:
    """Return the messages of a prompt.

    Args:
        messages: the thread.
        summary: the record of its old turns, if there is one.
        context: which passages are written out, and how much of each.
        window: tokens that the model can read of a thread. The oldest turns that do not fit are left out; the one
            under way never is.
    """
    start = behind(messages, summary)
    told = [HumanMessage(RECORD.format(record=summary["text"]))] if summary and start else []
    since = messages[start:] if window is None else _fitting(messages[start:], window - _tokens(told))
    return [*told, *_without_repeats(since, context)]


def due(messages: Sequence[AnyMessage], summary: Summary | None, limit: int) -> int:
    """Return how many of a thread's messages are to be summarised now: whole turns, or 0 where none need be.

    Args:
        messages: the thread, with a new question at its end.
        summary: the record of its old turns, if there is one.
        limit: tokens that the turns since may have.
    """
    start = behind(messages, summary)
    *old, question = [start + place for place in _turns(messages[start:])]
    if _tokens(messages[start:question]) <= limit:
        return 0
    for places, share in ((old[1:], KEPT), (old[1:][-1:], KEPT_LATEST)):
        for place in places:
            if _tokens(messages[place:question]) <= limit * share:
                return place
    return question


def behind(messages: Sequence[AnyMessage], summary: Summary | None) -> int:
    """Return where the turns begin that a summary does not hold: at 0 if it is none of this thread."""
    if summary is None:
        return 0
    return next((place for place, message in enumerate(messages, 1) if message.id == summary["up_to"]), 0)


def _turns(messages: Sequence[AnyMessage]) -> Iterator[int]:
    """Yield where turns begin: at a person's message, or at the first of several."""
    for place, message in enumerate(messages):
        if isinstance(message, HumanMessage) and not (place and isinstance(messages[place - 1], HumanMessage)):
            yield place


def _fitting(messages: Sequence[AnyMessage], limit: int) -> Sequence[AnyMessage]:
    starts = list(_turns(messages)) or [0]
    fitting = (place for place in starts if _tokens(messages[place:]) <= limit)
    return messages[next(fitting, starts[-1]) :]


def _without_repeats(messages: Sequence[AnyMessage], context: Context) -> Iterator[AnyMessage]:
    above: set[str] = set()
    queries: dict[str, str] = {}
    for message in messages:
        if isinstance(message, AIMessage):
            queries |= {str(call["id"]): _words(call["args"]) for call in message.tool_calls}
        if isinstance(message, ToolMessage) and isinstance(message.artifact, dict) and message.artifact.get("sources"):
            query = queries.get(message.tool_call_id, "")
            yield _shortened(message, message.artifact["sources"], query, above, context)
        else:
            yield message


def _shortened(
    message: ToolMessage, sources: Sequence[Source], query: str, above: set[str], context: Context
) -> ToolMessage:
    """Return a result with the passages that stand above it named only, and the others cut to their telling sentences.

    Args:
        message: the result.
        sources: its passages.
        query: what it was looked for with.
        above: the passages that are written out above, to which those of this result are added.
        context: whether and how far passages are shortened.
    """
    text = str(message.text)
    for source in sources:
        whole = shown(source)
        if whole not in text:  # the result was cut before its end
            continue
        said = whole
        if context.passage_sentences:
            said = shown({**source, "text": telling_sentences(source["text"], query, context.passage_sentences)})
        if said in above and not context.repeat_passages:
            said = shown_above(source)
        above.add(said)
        text = text.replace(whole, said, 1)
    return message if text == message.text else message.model_copy(update={"content": text})


def _words(args: Mapping[str, object]) -> str:
    return " ".join(value for value in args.values() if isinstance(value, str))


def _tokens(messages: Sequence[AnyMessage]) -> int:
    return count_tokens_approximately(messages)
