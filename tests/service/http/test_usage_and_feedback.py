from __future__ import annotations

import asyncio
import time
import uuid

from sqlalchemy import func, insert, select

from service.http.feedback import keep
from service.records.tables import feedback, threads


def answered(talk, model, text="Hi."):
    model.will(text)
    talk.ask("hi")
    return talk.client.get(f"/api/threads/{talk.thread}").json()["messages"][-1]


def test_what_a_turn_used_is_counted_by_day_model_and_thread(client, talk, model):
    before = client.get("/api/usage").json()["total"]
    used = answered(talk, model)["usage"]
    after = client.get("/api/usage").json()["total"]
    assert (after["calls"] - before["calls"], after["input"] - before["input"]) == (1, used["input"])
    by_thread = {each["key"]: each for each in client.get("/api/usage", params={"by": "thread"}).json()["items"]}
    assert by_thread[talk.thread]["output"] == used["output"]
    assert [each["key"] for each in client.get("/api/usage", params={"by": "model"}).json()["items"]] == [
        "compatible:test"
    ]
    assert client.get("/api/usage", params={"until": "2020-01-01"}).json()["total"]["calls"] == 0


def test_a_cost_that_is_not_known_is_not_nothing(client, talk, model):
    answered(talk, model)
    assert client.get("/api/usage").json()["total"]["cost"] is None


def test_an_opinion_stands_with_its_answer_and_can_be_changed(client, talk, model):
    path = f"/api/threads/{talk.thread}/messages/{answered(talk, model)['id']}/feedback"
    assert client.put(path, json={"thumb": "down", "comment": "Too short.", "correction": "Hello!"}).is_success
    assert client.put(path, json={"thumb": "up"}).is_success
    message = client.get(f"/api/threads/{talk.thread}").json()["messages"][-1]
    assert message["feedback"] == {"thumb": "up", "comment": "", "correction": ""}
    [listed] = [each for each in client.get("/api/feedback").json()["items"] if each["thread_id"] == talk.thread]
    assert (listed["thumb"], listed["owner"]) == ("up", "local")


async def test_opinions_of_one_answer_that_come_at_once_leave_one(service_database):
    thread = {"owner": "ann", "title": "", "origin": "api", "details": {}, "created": 1.0, "updated": 1.0}
    said = {"owner": "ann", "thread_id": uuid.uuid4().hex, "thumb": "up", "correction": "", "at": time.time()}
    async with service_database.begin() as connection:
        await connection.execute(insert(threads).values(id=said["thread_id"], **thread))
    for answer in range(20):
        about = {**said, "message_id": str(answer)}
        await asyncio.gather(*(keep(service_database, {**about, "comment": str(number)}) for number in range(4)))
    async with service_database.connect() as connection:
        of_thread = feedback.c.thread_id == said["thread_id"]
        assert await connection.scalar(select(func.count()).select_from(feedback).where(of_thread)) == 20


def test_only_answers_have_opinions(client, talk, model):
    answered(talk, model)
    question = client.get(f"/api/threads/{talk.thread}").json()["messages"][0]
    for message in (question["id"], uuid.uuid4().hex):
        path = f"/api/threads/{talk.thread}/messages/{message}/feedback"
        assert client.put(path, json={"thumb": "up"}).status_code == 404


def test_the_service_says_who_calls_and_that_it_is_up_and_ready(client):
    assert client.get("/api/me").json() == {"owner": "local", "admin": True, "authenticated": False}
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready"), ready.text
