"""How much a key may ask for, as its clients meet it."""

from __future__ import annotations

import asyncio
import threading
import time

import httpx2
import pytest
from sqlalchemy import insert

from service.http.app import create_app
from service.http.callers import Caller
from service.http.limits import Limits
from service.http.problems import Problem
from service.records.database import open_database
from service.records.keys import Keys, NewKey
from service.records.tables import runs, threads
from tests.support.model_server import Reply


@pytest.fixture
async def client(settings):
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=100) as client,
    ):
        yield client


async def key_for(settings, owner, **limits):
    async with open_database(settings) as database:
        _, key = await Keys(database).create(NewKey(owner, **limits))
    return {"Authorization": f"Bearer {key}"}


async def statuses(client, count, **headers):
    return [(await client.get("/v1/models", headers=headers)).status_code for _ in range(count)]


async def test_requests_beyond_the_minute_s_are_refused_with_the_time_to_wait(client, settings):
    ann, bob = await key_for(settings, "ann", per_minute=3), await key_for(settings, "bob", per_minute=3)
    begun = time.time()
    assert await statuses(client, 4, **ann) == [200, 200, 200, 429]
    refused = await client.get("/v1/models", headers=ann)
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "3 requests in a minute" in error["message"]
    assert 60 - (time.time() - begun) <= int(refused.headers["retry-after"]) <= 60
    assert await statuses(client, 3, **bob) == [200] * 3


async def test_a_key_has_the_limits_of_the_settings_unless_it_says_itself(settings):
    settings.service.per_minute = 2
    app = create_app(settings)
    ann, bob = await key_for(settings, "ann"), await key_for(settings, "bob", per_minute=4)
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        assert await statuses(client, 3, **ann) == [200, 200, 429]
        assert await statuses(client, 5, **bob) == [200, 200, 200, 200, 429]


async def test_whoever_sits_at_this_machine_has_no_limit(client, settings):
    assert set(await statuses(client, settings.service.per_minute + 5)) == {200}


async def test_an_answer_under_way_counts_until_it_has_ended(client, settings, model_server):
    ann, bob = await key_for(settings, "ann", concurrent=1), await key_for(settings, "bob", concurrent=1)
    gate = threading.Event()
    model_server.will(Reply("Slowly.", gate=gate))
    body = {"model": "selfhelp", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    slow = asyncio.create_task(client.post("/v1/chat/completions", json=body, headers=ann))
    while not model_server.requests:
        await asyncio.sleep(0.01)
    assert await statuses(client, 1, **ann) == [429]
    assert await statuses(client, 2, **bob) == [200, 200]
    gate.set()
    assert (await slow).status_code == 200
    assert await statuses(client, 1, **ann) == [200]


async def test_a_request_that_fails_or_is_left_gives_its_place_back():
    limits, caller = Limits(), Caller("ann", key="1", concurrent=1, per_minute=2)
    for error in (ValueError(), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            async with limits.request(caller):
                raise error
    for _ in range(2):
        with pytest.raises(Problem, match="in a minute"):
            async with limits.request(caller):
                pass


async def test_a_run_beyond_the_limit_is_refused_in_either_protocol_and_leaves_nothing(client, settings, model_server):
    ann = await key_for(settings, "ann", concurrent=1)
    async with open_database(settings) as database, database.begin() as connection:
        thread = {
            "id": "t",
            "owner": "ann",
            "title": "",
            "origin": "api",
            "details": {},
            "created": 1.0,
            "updated": 1.0,
        }
        run = {"id": "r", "thread_id": "t", "owner": "ann", "input": {}, "context": {}, "cancelled": False}
        await connection.execute(insert(threads).values(thread))
        await connection.execute(insert(runs).values(**run, status="running", lease=time.time() + 600, created=1.0))
    other = (await client.post("/api/threads", json={}, headers=ann)).json()["id"]
    answers = [
        await client.post(f"/api/threads/{other}/runs", json={"text": "hi"}, headers=ann),
        await client.post("/v1/responses", json={"model": "selfhelp", "input": "hi"}, headers=ann),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert "1 runs are under way" in answer.json()["error"]["message"]
    assert model_server.requests == []
    [left] = [each for each in (await client.get("/api/threads", headers=ann)).json()["items"] if each["id"] != "t"]
    assert (left["id"], left["title"]) == (other, "")
