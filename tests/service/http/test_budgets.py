"""Budgets over HTTP: a run's answer says which is spent, as OpenAI's protocol does, and nobody sees another's."""

from __future__ import annotations

import httpx2
import pytest

from agent.settings import Settings
from service.http.app import create_app
from service.records.database import open_database
from service.records.keys import Keys, NewKey

pytestmark = pytest.mark.usefixtures("one_day")

SPENT = "The budget of your key for today is spent: "


@pytest.fixture
async def people(tmp_path, model_server):
    """Clients of ann, whose key may use little, and of bob."""
    budgets = {"owner": {"tokens": 100_000}, "day": {"tokens": 1_000_000}, "thread": {"tokens": 50_000}}
    settings = Settings(model="compatible:x", base_url=model_server.url, data_dir=tmp_path, budgets=budgets)
    app = create_app(settings)
    async with open_database(settings) as database, app.router.lifespan_context(app):
        keys = Keys(database)
        made = [await keys.create(NewKey("ann", daily_tokens=4_000)), await keys.create(NewKey("bob"))]
        clients = [
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://127.0.0.1:8000",
                headers={"Authorization": f"Bearer {text}"},
            )
            for _, text in made
        ]
        yield clients
        for client in clients:
            await client.aclose()


async def answered(client, text, **context):
    thread = (await client.post("/api/threads", json={})).json()["id"]
    run = await client.post(f"/api/threads/{thread}/runs", json={"text": text, "context": context})
    assert run.status_code == 202, run.text
    return (await client.get(f"/api/runs/{run.json()['id']}/join")).json()["message"]


async def test_a_key_that_has_spent_its_budget_is_told_so_and_others_go_on(people, model_server):
    ann, bob = people
    model_server.will("word " * 800)
    await answered(ann, "Talk.")
    message = await answered(ann, "More.")
    assert message["text"].startswith(SPENT)
    assert "It is free again on 20" in message["text"]
    assert message["usage"]["spent"]["scope"] == "key"
    completion = await ann.post(
        "/v1/chat/completions", json={"model": "helpdesk", "messages": [{"role": "user", "content": "More."}]}
    )
    [choice] = completion.json()["choices"]
    assert choice["message"]["content"].startswith(SPENT)
    assert completion.json()["selfhelp"]["spent"]["scope"] == "key"
    model_server.will("Hi.")
    assert (await answered(bob, "hi"))["text"] == "Hi."


async def test_usage_by_key_counts_whatever_way_a_key_came_and_shows_nobody_another_s(people, model_server):
    ann, bob = people
    model_server.will("One.", "Two.", "Three.")
    await answered(ann, "1?")
    await answered(bob, "2?")
    question = {"model": "helpdesk", "messages": [{"role": "user", "content": "3?"}]}
    await bob.post("/v1/chat/completions", json=question)
    groups = [(await client.get("/api/usage?by=key")).json()["items"] for client in (ann, bob)]
    assert [[(each["key"], each["name"], each["calls"]) for each in of_key] for of_key in groups] == [
        [(key_of(ann), "ann", 1)],
        [(key_of(bob), "bob", 2)],
    ]


def key_of(client):
    return client.headers["Authorization"].split("_")[1]


async def test_budgets_say_what_is_left_to_whoever_asks_and_of_nobody_else(people, model_server):
    ann, bob = people
    model_server.will("Hi.")
    await answered(ann, "hi")
    mine = {each["scope"]: each for each in (await ann.get("/api/budgets")).json()["items"]}
    assert mine.keys() == {"owner", "key"}
    used = mine["key"]["used"]["tokens"]
    assert used > 0
    assert mine["key"]["left"]["tokens"] == 4_000 - used
    assert mine["owner"]["left"]["tokens"] == 100_000 - used
    theirs = {each["scope"]: each for each in (await bob.get("/api/budgets")).json()["items"]}
    assert theirs.keys() == {"owner"}
    assert theirs["owner"]["used"]["tokens"] == 0
    thread = (await ann.get("/api/threads")).json()["items"][0]["id"]
    assert (await bob.get("/api/budgets", params={"thread_id": thread})).status_code == 404
    listed = (await ann.get("/api/budgets", params={"thread_id": thread})).json()["items"]
    assert {each["scope"]: each["used"]["tokens"] for each in listed}["thread"] == used


async def test_whoever_asks_can_lower_a_budget_and_not_raise_one(people, model_server):
    ann, _ = people
    low = await answered(ann, "hi", budgets={"turn": {"tokens": 10}})
    assert low["text"].startswith("The budget of this turn is too small")
    model_server.will("word " * 800)
    high = {"key": {"tokens": 10**9}, "owner": {"tokens": 10**9}}
    await answered(ann, "Talk.", budgets=high)
    assert (await answered(ann, "More.", budgets=high))["text"].startswith(SPENT)


async def test_a_budget_without_end_is_refused_as_a_wrong_field(people):
    ann, _ = people
    thread = (await ann.post("/api/threads", json={})).json()["id"]
    for cost in ("1e999", "NaN"):
        body = '{"text": "hi", "context": {"budgets": {"turn": {"cost": COST}}}}'.replace("COST", cost)
        run = await ann.post(f"/api/threads/{thread}/runs", content=body, headers={"Content-Type": "application/json"})
        assert (run.status_code, run.json()["error"]["param"]) == (422, "context.budgets.turn.cost")
