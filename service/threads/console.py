"""The `threads` commands: what is kept of conversations, and deleting it. They are for whoever runs the deployment."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Column, Table
from rich.text import Text

from agent.answer_store import AnswerStore
from agent.errors import SelfhelpError, SettingsError
from agent.intents import open_intents
from agent.settings import Settings
from agent.untrusted import quoted_line, visible
from service.conversation import Desk
from service.keys import seconds_of
from service.records.database import open_database
from service.retention import DAY
from service.runs.store import RunStore, title_of
from service.threads.archive import Archive, Kept
from service.threads.deletion import Deletion
from service.threads.export import markdown
from service.threads.history import History
from service.threads.messages import Message

Format = Literal["markdown", "json"]


class NoThread(SelfhelpError):
    """A thread that is not there, or cannot be deleted now."""


@dataclass(frozen=True)
class _Room:
    archive: Archive
    history: History

    async def find(self, thread_id: str) -> Kept:
        thread = await self.archive.find(thread_id)
        if thread is None:
            raise NoThread(f"there is no thread {thread_id}: selfhelp threads list shows what there is")
        return thread

    async def described(self, thread: Kept) -> Kept:
        """Return a thread with what only its checkpoints tell of those of the command line: its title, and a wait."""
        title = thread.title or _first_words(await self.history.messages(thread.id))
        waits = thread.owner is None and await self.history.waits(thread.id)
        return replace(thread, title=title, status="waiting" if waits else thread.status)


async def list_threads(settings: Settings, owner: str | None, limit: int, console: Console, *, as_json: bool) -> None:
    """Show threads, the one with the latest news first.

    Args:
        settings: the settings.
        owner: whose; everybody's when None.
        limit: the most to show.
        console: where to show them.
        as_json: whether to write a line of JSON for each instead.
    """
    async with _opened(settings) as room:
        found = [thread for thread in await room.archive.all() if owner in (None, thread.owner)]
        listed = [await room.described(thread) for thread in found[:limit]]
    if as_json:
        for thread in listed:
            console.file.write(json.dumps(asdict(thread), ensure_ascii=False) + "\n")
        return
    if not found:
        console.print("no threads yet: selfhelp chat begins one")
        return
    table = Table(Column("id", no_wrap=True, overflow="fold"), "owner", "title", box=None)
    table.add_column("last news", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for thread in listed:
        table.add_row(thread.id, Text(thread.owner or "–"), Text(thread.title), _when(thread.updated), thread.status)
    console.print(table)
    if len(found) > limit:
        console.print(f"and {len(found) - limit} more: --limit {len(found)}", style="dim")


async def show_thread(settings: Settings, thread_id: str, console: Console, *, as_json: bool) -> None:
    """Show what was said in a thread."""
    text = await _written(settings, thread_id, "json" if as_json else "markdown")
    if as_json:
        console.file.write(text)
    else:
        console.print(Markdown(visible(text)))


async def export_thread(settings: Settings, thread_id: str, kind: Format, to: Path | None, console: Console) -> None:
    """Write a thread into a file, or to the terminal as it is."""
    text = await _written(settings, thread_id, kind)
    if to is None:
        console.file.write(text)
        return
    try:
        await asyncio.to_thread(to.write_text, text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{to} cannot be written: {error.strerror}") from None


async def delete_threads(settings: Settings, thread_ids: Sequence[str], console: Console, *, yes: bool) -> None:
    """Delete threads, after a question.

    Raises:
        NoThread: there is no such thread, or a run of it is under way. None is deleted.
    """
    async with _opened(settings) as room:
        found = [await room.find(thread_id) for thread_id in thread_ids]
        if busy := [thread.id for thread in found if thread.status == "running"]:
            raise NoThread(f"a run is under way in {', '.join(busy)}: wait for it, or cancel it, and delete then")
        await _delete(room, found, console, yes=yes)


async def prune_threads(settings: Settings, older: str | None, console: Console, *, dry: bool, as_json: bool) -> None:
    """Delete the threads in which nothing has happened for a time.

    Args:
        settings: the settings.
        older: the time, such as 90d; as [retention] says when None.
        console: where to say what was deleted.
        dry: whether to say only what would be.
        as_json: whether to write it as JSON.

    Raises:
        SettingsError: no time is given.
    """
    days = settings.retention.threads_days
    if older is None and days is None:
        raise SettingsError("say how old: --older 90d, or threads_days under [retention] in selfhelp.toml")
    seconds = seconds_of(older, "--older") if older is not None else (days or 0) * DAY
    async with _opened(settings) as room:
        before = time.time() - seconds
        found = await room.archive.unused_since(before)
        if dry:
            _say(found, "would be deleted", console, as_json=as_json)
        else:
            deleted = [thread for thread in found if await room.archive.delete_unused(thread, before)]
            _say(deleted, "deleted", console, as_json=as_json)


async def _delete(room: _Room, found: Sequence[Kept], console: Console, *, yes: bool) -> None:
    if not yes:
        for thread in found:
            title = thread.title or _first_words(await room.history.messages(thread.id))
            console.print(Text(f"{thread.id}  {quoted_line(title)}"), soft_wrap=True)
        typer.confirm("Delete what was said there, for good?", abort=True)
    for thread in found:
        await room.archive.delete(thread)
    _say(found, "deleted", console, as_json=False)


def _say(found: Sequence[Kept], what: str, console: Console, *, as_json: bool) -> None:
    if as_json:
        console.file.write(json.dumps([thread.id for thread in found], ensure_ascii=False) + "\n")
    else:
        console.print(f"{len(found)} {'thread' if len(found) == 1 else 'threads'} {what}")


async def _written(settings: Settings, thread_id: str, kind: Format) -> str:
    async with _opened(settings) as room:
        thread = await room.find(thread_id)
        messages = await room.history.messages(thread_id)
    title = thread.title or _first_words(messages)
    if kind == "markdown":
        return markdown(title, messages)
    whole: dict[str, Any] = {**asdict(thread), "title": title}
    whole["messages"] = [message.model_dump(mode="json") for message in messages]
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Room]:
    async with open_database(settings) as database, Desk(settings) as desk:
        history = History(desk.graph, database)
        cancel = RunStore(database, "command line").cancel
        kept = open_intents(settings), history, AnswerStore(settings)
        deletion = Deletion(database, cancel, desk.checkpointer, *kept)
        yield _Room(Archive(database, desk.checkpointer, deletion), history)


def _first_words(messages: Sequence[Message]) -> str:
    return title_of(messages[0].text) if messages else ""


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
