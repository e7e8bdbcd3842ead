"""The record of a thread's old turns, which its prompts hold in their place: written at the beginning of a turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.citations import CitationCheck
from agent.errors import ModelUnavailable, SelfhelpError
from agent.history import behind, due
from agent.prompts import SUMMARISE
from agent.reply import Asker
from agent.results import CHARACTERS_PER_TOKEN, named
from agent.run import Run
from agent.state import Source, Summary, sources_of
from agent.untrusted import quoted, quoted_line

SUMMARY = "summary"
MOST_TOKENS = 1000
WORDS = 500
LONGEST_QUOTE = 300

_FRAME = re.compile(r"</?record>", re.IGNORECASE)


async def summarised(messages: Sequence[AnyMessage], summary: Summary | None, run: Run, asker: Asker) -> Summary | None:
    """Return the summary of a thread, written anew where the turns since the last one have outgrown their budget.

    The model that writes it is asked with the prompt that it has read before, up to the turns that stay: providers keep
    that, and charge little for it. Where no model replies, or one reads slowly, the record is put together without it.

    Args:
        messages: the thread, with a new question at its end.
        summary: its summary so far.
        run: the run.
        asker: asks the run's models.
    """
    window = await _window(run)
    limit = min(run.context.history_tokens, window // 2) if window else run.context.history_tokens
    end = due(messages, summary, limit) if limit else 0
    if not end:
        return summary
    old = messages[:end]
    told = _record(old, summary, limit)
    if window is None:
        try:
            writer = replace(asker, node=SUMMARY, summary=summary, told=SUMMARISE.format(words=WORDS), aloud=False)
            told = str((await writer.ask(old)).message.text)
        except ModelUnavailable:
            pass
    return Summary(text=_framed(told, sources_of(old)), up_to=str(old[-1].id))


async def _window(run: Run) -> int | None:
    try:
        return (await run.models[0]()).window
    except SelfhelpError:  # the planner says so, or asks the next one
        return None


def _framed(text: str, sources: dict[int, Source]) -> str:
    """Return a record as data, of bounded length, with the passages that it cites named below it."""
    text = _FRAME.sub("record", quoted(text)).strip()[: MOST_TOKENS * CHARACTERS_PER_TOKEN]
    check = CitationCheck(sources)
    check.feed(text)
    passages = [named(sources[number]) for number in check.cited]
    return "\n".join([text, *(["Passages:", *passages] if passages else [])])


def _record(messages: Sequence[AnyMessage], summary: Summary | None, limit: int) -> str:
    """Put a record together from what was asked, answered and done, of which the latest fits.

    Args:
        messages: the turns.
        summary: the record before, which stays at the beginning.
        limit: tokens of the turns for which a record is due; it takes a quarter of them at most.
    """
    before = summary["text"].partition("\nPassages:\n")[0] if summary else ""
    room = min(MOST_TOKENS, limit // 4) * CHARACTERS_PER_TOKEN
    before = before[: room // 2]
    left = room - len(before)
    kept: list[str] = []
    for line in reversed(list(_lines(messages[behind(messages, summary) :]))):
        left -= len(line) + 1
        if left < 0:
            break
        kept.insert(0, line)
    return "\n".join(filter(None, (before, *kept)))


def _lines(messages: Sequence[AnyMessage]) -> Iterator[str]:
    for message in messages:
        text = quoted_line(str(message.text))[:LONGEST_QUOTE]
        if isinstance(message, HumanMessage) and text:
            yield f"The person: {text}"
        elif isinstance(message, AIMessage) and text and not message.tool_calls:
            yield f"The answer: {text}"
        elif isinstance(message, ToolMessage) and message.artifact is None:
            yield f"{message.name} gave: {text}"
