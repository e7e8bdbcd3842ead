"""Threads taken away: one as a document in Markdown, or all as JSON, one in a line."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import select

from agent.checkpoints import last_changes, open_checkpointer
from agent.settings import Settings
from agent.untrusted import quoted_line
from graphs.assistant import build
from service.doubts import doubt
from service.places import place_of
from service.records.database import open_database
from service.records.tables import threads
from service.threads.history import History
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
    if message.flags:
        yield "Doubtful:\n\n" + "\n".join(f"- {quoted_line(doubt(flag))}" for flag in message.flags)
    if message.sources:
        lines = (
            f"- [{source['number']}] {quoted_line(source['title'])}, {place_of(source)}" for source in message.sources
        )
        yield "Sources:\n\n" + "\n".join(lines)


async def lines(settings: Settings, since: float | None) -> AsyncGenerator[str]:
    """Yield every thread as JSON in one line, whoever's it is, with what is known of each answer's model calls.

    Those of the command line and of LangGraph's server, which have nobody's name, come behind those of the service.

    Args:
        settings: where threads are kept.
        since: only threads that were begun since, or changed where nobody's name is on them; seconds since 1970.
    """
    since = since or 0
    async with open_database(settings) as database, open_checkpointer(settings) as checkpointer:
        history = History(build(settings=settings, checkpointer=checkpointer), database)
        async with database.connect() as connection:
            rows = (await connection.execute(select(threads).order_by(threads.c.created, threads.c.id))).all()
        changes = await last_changes(checkpointer)
        bare = sorted(changes.keys() - {row.id for row in rows}, key=changes.__getitem__)
        wanted = [row._asdict() for row in rows if row.created >= since]
        wanted += [{"id": name, "owner": None, "updated": changes[name]} for name in bare if changes[name] >= since]
        for thread in wanted:
            messages = [message.model_dump(mode="json") for message in await history.messages(thread["id"])]
            yield json.dumps({**thread, "messages": messages}, ensure_ascii=False)
