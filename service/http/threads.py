"""Threads: made, listed, read, changed, forked, exported and deleted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.state import Source
from service.http.bodies import NewThread, Page, RunBody, Text, ThreadBody, ThreadChange, ThreadId, Waiting
from service.http.callers import Authenticated
from service.http.owned import run_under_way, thread_of, waiting_of
from service.http.personas import check_persona
from service.http.problems import Problem, not_found
from service.http.services import Shared
from service.threads.export import markdown
from service.threads.forks import Forks
from service.threads.messages import Message
from service.threads.store import ThreadStore

router = APIRouter(prefix="/api", tags=["Threads"])

Limit = Annotated[int, Query(ge=1, le=200, description="The most threads to return.", examples=[50])]
After = Annotated[Text | None, Query(max_length=200, description="`next` of the page before.", examples=[None])]
Words = Annotated[Text, Query(max_length=200, description="Words in the title.", examples=["tent"])]
Format = Annotated[Literal["json", "markdown"], Query(description="What to return.", examples=["markdown"])]


SourceNumber = Annotated[int, Path(description="What the answer cites it by.", examples=[1])]


_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The thread as a file.",
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": {"title": "Returning a tent"}},
            "text/markdown": {"schema": {"type": "string"}, "example": "# Returning a tent"},
        },
    }
}


class WholeThread(ThreadBody):
    """A thread with all that was said in it."""

    messages: list[Message] = Field(description="What was said, in order.", examples=[[]])
    waiting: Waiting | None = Field(description="What waits for a person.", examples=[None])
    run: RunBody | None = Field(description="The run that is under way or waits.", examples=[None])


class Checkpoint(BaseModel):
    """The end of a turn, from which a thread can be forked."""

    id: str = Field(description="Its id.", examples=["1f0c"])
    at: float = Field(description="When the turn ended, in seconds since 1970.", examples=[1790000000.0])
    text: str = Field(description="The turn's question.", examples=["Can I return a tent?"])
    message_id: str = Field(description="Id of its answer.", examples=["3f6c1d"])


class Fork(BaseModel):
    """Where a thread is to be forked."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str | None = Field(
        None, max_length=100, description="End of a turn; the latest when left out.", examples=["1f0c"]
    )


class SourceInPlace(Source):
    """A passage and what stands around it in its document."""

    before: Annotated[str, Field(description="The text before it.", examples=["Tents and sleeping bags:"])]
    after: Annotated[str, Field(description="The text behind it.", examples=["Shoes: 14 days."])]


@router.post("/threads", status_code=201)
async def create_thread(new: NewThread, shared: Shared, caller: Authenticated) -> ThreadBody:
    """Make a thread."""
    await check_persona(new.persona, shared.settings)
    thread = await ThreadStore(shared.database).create(
        caller.owner, title=new.title, persona=new.persona, details=new.details
    )
    return ThreadBody.model_validate(thread)


@router.get("/threads")
async def list_threads(
    shared: Shared, caller: Authenticated, limit: Limit = 50, after: After = None, query: Words = ""
) -> Page[ThreadBody]:
    """List your threads, the one with the latest news first."""
    found = await ThreadStore(shared.database).page(caller.owner, limit=limit + 1, after=_place(after), query=query)
    items = [ThreadBody.model_validate(thread) for thread in found[:limit]]
    more = len(found) > limit
    return Page(items=items, next=f"{items[-1].updated!r}_{items[-1].id}" if more else None)


@router.get("/threads/{thread_id}")
async def get_thread(thread_id: ThreadId, shared: Shared, caller: Authenticated) -> WholeThread:
    """Return a thread with all that was said in it, and what it waits for."""
    thread = await thread_of(thread_id, shared, caller)
    run = await run_under_way(thread, shared)
    return WholeThread(
        **vars(thread),
        messages=await shared.history.messages(thread_id),
        waiting=await waiting_of(run, thread, shared) if run else None,
        run=RunBody.model_validate(run) if run else None,
    )


@router.patch("/threads/{thread_id}")
async def change_thread(thread_id: ThreadId, change: ThreadChange, shared: Shared, caller: Authenticated) -> ThreadBody:
    """Change title, persona or details of a thread."""
    await check_persona(change.persona, shared.settings)
    # A persona can be taken back with null; title and details are never null.
    values = {
        name: value
        for name, value in change.model_dump(exclude_unset=True).items()
        if value is not None or name == "persona"
    }
    changed = await ThreadStore(shared.database).change(thread_id, caller.owner, values)
    if changed is None:
        raise not_found("thread")
    return ThreadBody.model_validate(changed)


@router.delete("/threads/{thread_id}", status_code=204)
async def delete_thread(thread_id: ThreadId, shared: Shared, caller: Authenticated) -> None:
    """Delete a thread and everything in it. A run that is under way is cancelled."""
    await thread_of(thread_id, shared, caller)
    await shared.deletion.delete(thread_id, caller.owner)


@router.get("/threads/{thread_id}/checkpoints")
async def list_checkpoints(thread_id: ThreadId, shared: Shared, caller: Authenticated) -> Page[Checkpoint]:
    """List the ends of a thread's turns, the latest first."""
    await thread_of(thread_id, shared, caller)
    points = await Forks(shared.graph).points(thread_id)
    return Page(items=[Checkpoint(**vars(point)) for point in points])


@router.post("/threads/{thread_id}/fork", status_code=201)
async def fork_thread(thread_id: ThreadId, fork: Fork, shared: Shared, caller: Authenticated) -> ThreadBody:
    """Copy a thread as it was at the end of a turn. The copy goes on by itself."""
    thread = await thread_of(thread_id, shared, caller)
    store = ThreadStore(shared.database)
    copy = await store.create(caller.owner, title=thread.title, persona=thread.persona, details=thread.details)
    if not await Forks(shared.graph).fork(thread_id, fork.checkpoint, copy.id):
        await store.delete(copy.id, caller.owner)
        raise not_found("checkpoint")
    return ThreadBody.model_validate(copy)


@router.get("/threads/{thread_id}/export", response_class=Response, responses=_FILES)
async def export_thread(
    thread_id: ThreadId,
    shared: Shared,
    caller: Authenticated,
    format: Format = "json",  # noqa: A002
) -> Response:
    """Return a thread as a file: JSON, or Markdown with its sources."""
    thread = await thread_of(thread_id, shared, caller)
    messages = await shared.history.messages(thread_id)
    if format == "markdown":
        return _file(markdown(thread.title, messages), "text/markdown", f"{thread_id}.md")
    whole = WholeThread(**vars(thread), messages=messages, waiting=None, run=None)
    return _file(whole.model_dump_json(exclude={"waiting", "run"}, indent=2), "application/json", f"{thread_id}.json")


@router.get("/threads/{thread_id}/sources/{number}")
async def get_source(thread_id: ThreadId, number: SourceNumber, shared: Shared, caller: Authenticated) -> SourceInPlace:
    """Return a passage that was found in a thread, with the text around it in its document."""
    await thread_of(thread_id, shared, caller)
    source = (await shared.history.sources(thread_id)).get(number)
    if source is None:
        raise not_found("source")
    base = await shared.knowledge()
    placed = await base.around(source["id"]) if source["id"] else []
    ids = [each.passage.id for each in placed]
    place = ids.index(source["id"]) if source["id"] in ids else 0
    texts = [each.passage.text for each in placed]
    before, after = "\n\n".join(texts[:place]), "\n\n".join(texts[place + 1 :])
    return SourceInPlace(**source, before=before, after=after)


def _place(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    updated, _, thread_id = cursor.partition("_")
    try:
        return float(updated), thread_id
    except ValueError:
        raise Problem(422, "after is the `next` of a page before", code="invalid", param="after") from None


def _file(text: str, media_type: str, name: str) -> Response:
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
