"""Conversations that the service keeps, over what a process of it opens."""

from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from agent.context import Context
from service.http.callers import Caller
from service.http.openai import conversations
from service.http.openai.records import Asked
from service.http.openai.response_models import Response
from service.http.services import Services, open_services
from service.records.tables import responses
from service.threads.store import ThreadStore
from tests.support import postgres

CALLER = Caller("ann")
# Whoever deletes a response stops behind it, for as long as somebody holds this lock.
GATE = 7
STOP = f"""
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NULL; END $$
"""
STOPPING = "CREATE TRIGGER stop AFTER DELETE ON responses FOR EACH ROW EXECUTE FUNCTION stop()"


@pytest.fixture
async def services(settings):
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.serve() as url:
        async with open_services(settings.model_copy(update={"database_url": SecretStr(url)})) as services:
            yield services


async def kept(services: Services, thread: str) -> str:
    """Keep a response of a thread, and return its id."""
    asked = Asked(CALLER, "?", Context(), thread=thread)
    response = Response(id=f"resp_{asked.id}", created_at=time.time(), model="selfhelp", store=True)
    await conversations.keep(services, asked, response, None)
    return response.id


async def test_of_responses_that_are_deleted_at_once_the_last_takes_the_thread_with_it(services):
    thread = await ThreadStore(services.database).create(CALLER.owner)
    both = [await kept(services, thread.id) for _ in range(2)]
    async with services.database.begin() as connection:
        await connection.execute(text(STOP))
        await connection.execute(text(STOPPING))
    async with services.database.connect() as gate:
        await gate.execute(text(f"SELECT pg_advisory_lock({GATE})"))
        deleting = asyncio.gather(*(conversations.forget(services, CALLER, response) for response in both))
        while await gate.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) < len(both):
            assert not deleting.done()
        await gate.execute(text(f"SELECT pg_advisory_unlock({GATE})"))
    await deleting
    async with services.database.connect() as connection:
        assert (await connection.scalars(select(responses.c.id))).all() == []
    assert await ThreadStore(services.database).get(thread.id, CALLER.owner) is None
