"""What readers think of answers."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from service.http.bodies import Page, Text, ThreadId
from service.http.callers import Authenticated
from service.http.owned import thread_of
from service.http.problems import not_found
from service.http.services import Shared
from service.records.tables import feedback
from service.threads.messages import Feedback

router = APIRouter(prefix="/api", tags=["Feedback"])

LONGEST = 10_000

MessageId = Annotated[Text, Path(max_length=200, description="Id of the answer.", examples=["3f6c1d"])]
Limit = Annotated[int, Query(ge=1, le=500, description="The most to return, the latest first.", examples=[100])]


class GivenFeedback(Feedback):
    """What a reader says of an answer."""

    model_config = ConfigDict(extra="forbid")

    comment: Text = Field("", max_length=LONGEST, description="Why.", examples=["It names the right page."])
    correction: Text = Field(
        "", max_length=LONGEST, description="What the answer should have been.", examples=["30 days, not 14."]
    )


class FeedbackBody(Feedback):
    """What a reader said of an answer."""

    thread_id: str = Field(description="Id of the thread.", examples=["3f6c1d"])
    message_id: str = Field(description="Id of the answer.", examples=["3f6c1d"])
    owner: str = Field(description="Who said it.", examples=["ann"])
    at: float = Field(description="When, in seconds since 1970.", examples=[1790000000.0])


@router.put("/threads/{thread_id}/messages/{message_id}/feedback")
async def give_feedback(
    thread_id: ThreadId, message_id: MessageId, given: GivenFeedback, shared: Shared, caller: Authenticated
) -> FeedbackBody:
    """Say what you think of an answer, in place of what you said before."""
    await thread_of(thread_id, shared, caller)
    messages = await shared.history.messages(thread_id)
    if not any(message.id == message_id and message.role == "assistant" for message in messages):
        raise not_found("answer")
    said = FeedbackBody(
        **given.model_dump(), thread_id=thread_id, message_id=message_id, owner=caller.owner, at=time.time()
    )
    await keep(shared.database, said.model_dump())
    return said


@router.get("/feedback")
async def list_feedback(shared: Shared, caller: Authenticated, limit: Limit = 100) -> Page[FeedbackBody]:
    """List your feedback; everybody's with an admin's key."""
    wanted = select(feedback).order_by(feedback.c.at.desc()).limit(limit)
    if not caller.admin:
        wanted = wanted.where(feedback.c.owner == caller.owner)
    async with shared.database.connect() as connection:
        rows = await connection.execute(wanted)
        return Page(items=[FeedbackBody(**row) for row in rows.mappings()])


async def keep(database: AsyncEngine, said: dict[str, Any]) -> None:
    """Keep what a reader says of an answer, in place of what was said before.

    Args:
        database: the service's database.
        said: the columns of `feedback`.
    """
    dialect: Any = postgresql if database.dialect.name == "postgresql" else sqlite
    kept = dialect.insert(feedback).values(said)
    async with database.begin() as connection:
        await connection.execute(kept.on_conflict_do_update(index_elements=[*feedback.primary_key], set_=said))
