"""A thread as a document in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from agent.untrusted import quoted_line
from service.places import place_of
from service.threads.messages import Message

_SPEAKERS = {"user": "You", "assistant": "Assistant"}


def markdown(title: str, messages: Sequence[Message]) -> str:
    """Return a thread in Markdown, with the sources under each answer.

    Args:
        title: its title.
        messages: what was said.
    """
    parts = [f"# {title or 'Conversation'}", *(_section(message) for message in messages)]
    return "\n\n".join(parts) + "\n"


def _section(message: Message) -> str:
    at = f" · {datetime.fromtimestamp(message.at, UTC):%Y-%m-%d %H:%M} UTC" if message.at else ""
    return "\n\n".join([f"## {_SPEAKERS[message.role]}{at}", *_body(message)])


def _body(message: Message) -> Iterator[str]:
    if message.degraded:
        yield f"> {quoted_line(message.degraded)}"
    if message.text.strip():
        yield message.text.strip()
    if message.sources:
        lines = (
            f"- [{source['number']}] {quoted_line(source['title'])}, {place_of(source)}" for source in message.sources
        )
        yield "Sources:\n\n" + "\n".join(lines)
