"""Conversations that the service keeps: each response is the end of a turn of a thread, and the next goes on from it.

The first turn that goes on from a response does so in its thread. Another that does makes a thread of its own, with a
copy of what was said until there, so that no turn ever changes what another one began with. So does the first where
something else was asked in the thread since, on the chat page for example.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from sqlalchemy import Row, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.state import calls_of, turn_id
from service.http.callers import Caller
from service.http.limits import too_many_runs
from service.http.openai.errors import bad_request, turn_failed
from service.http.openai.records import Asked, Status, add_run, add_thread, end_run
from service.http.openai.response_models import Response
from service.http.openai.turns import Turn
from service.http.problems import Problem, database_is_away, not_found
from service.http.services import Services
from service.records.database import database_errors
from service.records.tables import responses, runs, threads
from service.runs.records import UNDER_WAY, WAITING, TooMany
from service.runs.store import cancel_idle, refuse_beyond

_ID = re.compile("resp_[0-9a-f]{32}")


class KeptTurn(Turn):
    """A turn of a conversation that the service keeps."""

    def _start(self) -> asyncio.Task[None]:
        work = super()._start()
        self.services.runner.look_after(self.asked.id, work)
        return work

    async def leave(self, status: Status, actions: list[dict[str, Any]]) -> None:
        """Leave the thread as it is, and write down how its run ended."""
        async with self.services.database.begin() as connection:
            await end_run(connection, self.asked, self.services.runner.worker, status, actions)


async def begin(
    services: Services, asked: Asked, messages: Sequence[AnyMessage], previous: Row[Any] | None
) -> KeptTurn:
    """Begin a turn that is kept.

    Args:
        services: what the process shares.
        asked: what was asked; its thread is where a new conversation goes.
        messages: what it adds to the conversation.
        previous: the response that it goes on from.

    Raises:
        Problem: another run of the thread is under way, or too many of the caller's.
    """
    said = await _said(services, previous.thread_id) if previous else []
    try:
        async with services.database.begin() as connection:
            if previous and _is_latest(previous, said) and await _claimed(connection, previous, asked.id):
                asked, before = replace(asked, thread=previous.thread_id), list[AnyMessage]()
            else:
                before = _until(previous, said) if previous else []
                await add_thread(connection, asked)
            await add_run(connection, asked, services.runner.worker)
            await refuse_beyond(connection, asked.caller.owner, asked.caller.concurrent)
    except IntegrityError:
        raise Problem(409, "another run of this conversation is under way: wait for its end", code="busy") from None
    except TooMany as error:
        raise too_many_runs(error) from None
    return KeptTurn(services, asked, [*before, *messages])


def _is_latest(previous: Row[Any], said: Sequence[AnyMessage]) -> bool:
    """Whether nothing else was asked in the thread of a response since."""
    return bool(turn_id(said) == previous.id.removeprefix("resp_"))


async def _claimed(connection: AsyncConnection, previous: Row[Any], turn: str) -> bool:
    """Whether a turn goes on in the thread of a response. What waits there for a person is then given up."""
    first = update(responses).where(responses.c.id == previous.id, responses.c.continued.is_(None))
    if not (await connection.execute(first.values(continued=turn))).rowcount:
        return False
    await cancel_idle(connection, runs.c.thread_id == previous.thread_id, runs.c.status == WAITING)
    return True


async def said_until(services: Services, previous: Row[Any]) -> list[AnyMessage]:
    """Return what was said in a thread until the end of a response's turn."""
    return _until(previous, await _said(services, previous.thread_id))


def _until(previous: Row[Any], said: list[AnyMessage]) -> list[AnyMessage]:
    end = next((place for place, message in enumerate(said, 1) if message.id == previous.last_message), len(said))
    last = said[end - 1] if end else None
    if isinstance(last, AIMessage) and calls_of(last):  # it waited for a person, and its turn has gone on since
        end += sum(1 for _ in takewhile(lambda message: not isinstance(message, HumanMessage), said[end:]))
    return said[:end]


async def _said(services: Services, thread: str) -> list[AnyMessage]:
    config = RunnableConfig(configurable={"thread_id": thread})
    return (await services.graph.aget_state(config)).values.get("messages") or []


async def keep(services: Services, asked: Asked, response: Response, last_message: str | None) -> None:
    """Keep a response, so that it can be read, and others can go on from it.

    Raises:
        Problem: it cannot be kept, though the turn is over.
    """
    row = {
        "id": response.id,
        "thread_id": asked.thread,
        "owner": asked.caller.owner,
        "last_message": last_message,
        "body": response.model_dump(mode="json"),
        "created": response.created_at,
    }
    try:
        async with services.database.begin() as connection:
            await connection.execute(insert(responses).values(row))
    except IntegrityError:
        raise turn_failed(409, "the conversation was deleted when its answer was there", "deleted") from None
    except database_errors() as error:
        away = database_is_away(error)
        raise turn_failed(away.status_code, "the answer could not be kept: look what was done", "unavailable") from None


async def find(services: Services, caller: Caller, response: str) -> Row[Any]:
    """Return a response's row.

    Raises:
        Problem: there is none, or it is another's.
    """
    if not _ID.fullmatch(response):
        raise not_found("response")
    query = select(responses).where(responses.c.id == response, responses.c.owner == caller.owner)
    async with services.database.connect() as connection:
        found = (await connection.execute(query)).first()
    if found is None:
        raise not_found("response")
    return found


async def find_previous(services: Services, caller: Caller, response: str) -> Row[Any]:
    """Return the row of the response that another goes on from.

    Raises:
        Problem: there is none, or it is another's.
    """
    try:
        return await find(services, caller, response)
    except Problem:
        message = f"there is no response {response[:100]!r}: it may have been deleted, or not been stored"
        raise bad_request("previous_response_id", message, code="previous_response_not_found") from None


async def forget(services: Services, caller: Caller, response: str) -> None:
    """Delete a response, and with the last one of a conversation its thread.

    Raises:
        Problem: there is none, it is another's, or a turn goes on from it now.
    """
    found = await find(services, caller, response)
    thread = select(threads.c.id).where(threads.c.id == found.thread_id).with_for_update()
    others = exists().where(responses.c.thread_id == found.thread_id)
    under_way = exists().where(runs.c.thread_id == found.thread_id, runs.c.status.in_(UNDER_WAY))
    async with services.database.begin() as connection:
        await connection.execute(thread)  # one at a time: the last must see that it is
        if await connection.scalar(select(under_way)):
            raise Problem(409, "a run of this conversation is under way: wait for its end", code="busy")
        await connection.execute(delete(responses).where(responses.c.id == response))
        if await connection.scalar(select(others)):
            return
    await services.deletion.delete(found.thread_id, caller.owner)
