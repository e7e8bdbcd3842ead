"""Threads over HTTP: made, listed, read, changed, copied, taken away and deleted."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from uuid import uuid4

import pytest

from agent.settings import Settings
from service.threads.export import lines
from tests.service.http.conftest import RETURNS
from tests.support.model_server import Reply
from tests.support.service_process import running
from tests.support.talk import Talk

SEARCH = Reply(calls=[("search", {"query": "boots returned"})])
CITED = "Boots can be returned within 60 days [1]."


@pytest.fixture
def searched(talk, model):
    """A thread with an answer that cites a passage."""
    model.will(SEARCH, CITED)
    talk.ask("Boots?")
    return talk


def rows(service, database, table, thread):
    with closing(sqlite3.connect(service.folder / "data" / database)) as connection:
        return connection.execute(f"SELECT * FROM {table} WHERE thread_id = ?", [thread]).fetchall()


def test_threads_are_listed_page_by_page_and_found_by_title(client):
    word = uuid4().hex
    made = [client.post("/api/threads", json={"title": f"{word} {n}%"}).json()["id"] for n in range(5)]
    wanted: dict[str, str | int] = {"limit": 2, "query": word.upper()}
    pages = [client.get("/api/threads", params=wanted).json()]
    while after := pages[-1]["next"]:
        pages.append(client.get("/api/threads", params={**wanted, "after": after}).json())
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [thread["id"] for page in pages for thread in page["items"]] == made[::-1]
    assert [thread["title"] for thread in client.get("/api/threads", params={"query": "4%"}).json()["items"]] == [
        f"{word} 4%"
    ]
    assert client.get("/api/threads?after=nonsense").status_code == 422


def test_a_thread_is_named_after_its_first_question_and_can_be_renamed(client, talk, model):
    model.will("Yes.", "Yes.")
    talk.ask("Is this   a question\nthat goes on for so long that nobody would want to read the whole of it in a list?")
    title = talk.read()["title"]
    assert title.startswith("Is this a question that goes on")
    assert title.endswith("…")
    assert len(title) <= 80
    changed = client.patch(f"/api/threads/{talk.thread}", json={"title": "Mine", "details": {"ticket": 7}}).json()
    assert (changed["title"], changed["details"]) == ("Mine", {"ticket": 7})
    talk.ask("Another?")
    assert talk.read()["title"] == "Mine"
    assert client.get("/api/threads").json()["items"][0]["id"] == talk.thread


def test_a_threads_persona_speaks_in_its_runs(client, talk, model):
    model.will(Reply(text="Hm.", check=lambda body: str(body["messages"][0]).index("Ask first.")))
    assert client.patch(f"/api/threads/{talk.thread}", json={"persona": "careful"}).json()["persona"] == "careful"
    talk.ask("Who are you?")
    assert client.patch(f"/api/threads/{talk.thread}", json={"persona": "nobody"}).status_code == 422
    assert client.patch(f"/api/threads/{talk.thread}", json={"persona": None}).json()["persona"] is None
    assert client.post("/api/threads", json={"persona": "nobody"}).status_code == 422


def test_earlier_answers_keep_their_plan_sources_and_usage(searched, model):
    first = searched.read()["messages"][1]
    model.will("You are welcome.")
    searched.ask("Thanks.")
    assert searched.read()["messages"][1] == first
    assert ([step["tool"] for step in first["plan"]], [source["number"] for source in first["sources"]]) == (
        ["search"],
        [1],
    )
    assert [call["node"] for call in first["usage"]["calls"]] == ["planner", "responder"]


def test_every_answer_keeps_its_flags(searched, model):
    model.will("You can return it within 77 days.", "You are welcome.")
    searched.ask("Is that so?")
    searched.ask("Thanks.")
    flags = [message["flags"] for message in searched.read()["messages"][1::2]]
    assert [[flag["text"] for flag in each] for each in flags[1:]] == [["77 days"], []]


def test_a_source_can_be_opened_in_its_place(client, searched):
    number = searched.read()["messages"][1]["sources"][0]["number"]
    opened = client.get(f"/api/threads/{searched.thread}/sources/{number}").json()
    assert "within 60 days" in opened["text"]
    assert "30 days" in opened["before"] + opened["text"]
    assert "never" in opened["after"] + opened["text"]
    assert client.get(f"/api/threads/{searched.thread}/sources/99").status_code == 404


def test_a_thread_can_be_exported(client, searched):
    whole = client.get(f"/api/threads/{searched.thread}/export")
    assert whole.json()["messages"] == searched.read()["messages"]
    text = client.get(f"/api/threads/{searched.thread}/export?format=markdown").text
    assert text.startswith("# Boots?\n\n## You · ")
    assert f"{CITED}\n\nSources:\n\n- [1] Returns, returns.md, line" in text


def test_a_fork_has_what_was_said_and_goes_on_by_itself(client, searched, model):
    model.will("You are welcome.", SEARCH, CITED, "Another day.")
    searched.ask("Thanks.")
    before = searched.read()["messages"]
    latest, first = client.get(f"/api/threads/{searched.thread}/checkpoints").json()["items"]
    assert (latest["text"], first["text"]) == ("Thanks.", "Boots?")
    assert (latest["message_id"], first["message_id"]) == (before[3]["id"], before[1]["id"])

    made = client.post(f"/api/threads/{searched.thread}/fork", json={"checkpoint": first["id"]})
    assert made.status_code == 201
    fork = Talk(client, made.json()["id"])
    assert [message["id"] for message in fork.read()["messages"]] == [message["id"] for message in before[:2]]
    assert fork.read()["messages"][1]["sources"] == before[1]["sources"]
    fork.ask("Boots again?")
    assert fork.said() == ["Boots?", CITED, "Boots again?", CITED]
    # What was found before keeps its number.
    assert [source["number"] for source in fork.read()["messages"][3]["sources"]] == [1]

    again = client.post(f"/api/threads/{fork.thread}/fork", json={}).json()["id"]
    copy = Talk(client, again)
    copy.ask("And more?")
    assert copy.said() == ["Boots?", CITED, "Boots again?", CITED, "And more?", "Another day."]
    assert searched.read()["messages"] == before
    assert len(fork.said()) == 4


def test_a_fork_of_a_thread_under_way_ends_with_its_last_whole_turn(client, searched, model):
    gate = threading.Event()
    model.will(Reply(text="Soon.", gate=gate))
    run = searched.start("Wait?")
    fork = client.post(f"/api/threads/{searched.thread}/fork", json={}).json()["id"]
    assert Talk(client, fork).said() == ["Boots?", CITED]
    gate.set()
    assert searched.join(run)["status"] == "finished"
    assert client.post(f"/api/threads/{searched.thread}/fork", json={"checkpoint": "1f0"}).status_code == 404


def test_a_deleted_thread_is_gone_from_every_database(shared_service, client, talk, model, notes):
    model.will(Reply(calls=[("note", {"text": "kept"})]), "Done.", Reply(calls=[("hang", {"text": uuid4().hex})]))
    done = talk.ask("Note it.")["id"]
    run = talk.start("Wait.")
    with talk.following(run) as events:
        next(events)
        assert rows(shared_service, "service.sqlite", "runs", talk.thread)
        assert rows(shared_service, "threads.sqlite", "checkpoints", talk.thread)
        assert client.delete(f"/api/threads/{talk.thread}").status_code == 204
    assert client.get(f"/api/threads/{talk.thread}").status_code == 404
    assert client.get(f"/api/runs/{done}").status_code == 404
    assert client.delete(f"/api/threads/{talk.thread}").status_code == 404
    for database, table in [
        ("service.sqlite", "runs"),
        ("threads.sqlite", "checkpoints"),
        ("threads.sqlite", "writes"),
    ]:
        assert rows(shared_service, database, table, talk.thread) == []
    data = shared_service.folder / "data"
    with closing(sqlite3.connect(data / "service.sqlite")) as database:
        assert database.execute("SELECT * FROM events WHERE run_id IN (?, ?)", [done, run]).fetchall() == []
    with closing(sqlite3.connect(data / "effects.sqlite")) as database:
        assert database.execute("SELECT * FROM intents WHERE request LIKE '%kept%'").fetchall() == []
    assert notes()[0] == "note kept"


def test_personas_are_listed_with_the_default_one_first(client):
    names = [persona["name"] for persona in client.get("/api/personas").json()["items"]]
    assert names[0] == "helpdesk"
    assert {"careful", "tutor"} <= set(names)


def test_an_answer_that_is_kept_is_given_again_until_its_thread_is_deleted(new_service, model):
    model.will(SEARCH, CITED, "Anew.")
    with running(new_service(SELFHELP_ANSWER_CACHE="5")) as service, service.client() as client:
        first, second, third = (Talk(client) for _ in range(3))
        first.ask("Boots?")
        second.ask("Boots?")
        answer = second.read()["messages"][-1]
        assert (answer["text"], answer["usage"]["reused"]) == (CITED, True)
        assert answer["sources"][0]["text"] in RETURNS
        assert client.delete(f"/api/threads/{first.thread}").status_code == 204
        third.ask("Boots?")
        assert third.said()[-1] == "Anew."


def test_all_threads_are_exported_with_what_their_model_calls_used(shared_service, searched):
    settings = Settings(data_dir=shared_service.folder / "data")

    async def exported():
        return [json.loads(line) async for line in lines(settings, None)]

    [thread] = [thread for thread in asyncio.run(exported()) if thread["id"] == searched.thread]
    assert [message["text"] for message in thread["messages"]] == ["Boots?", CITED]
    assert [call["node"] for call in thread["messages"][1]["usage"]["calls"]] == ["planner", "responder"]
    assert all(call["input"] > 0 for call in thread["messages"][1]["usage"]["calls"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (
            '{"title": "a\\ud800b", "details": {"n": NaN, "text": "\\ud83d\\ude00\\ud83d"}}',
            {"n": "nan", "text": "😀\ufffd"},
        ),
        ('{"title": "a\\ud800b", "details": {"n": 1e999}}', {"n": "inf"}),
    ],
)
def test_what_no_store_could_hold_is_kept_legibly(client, sent, kept):
    made = client.post("/api/threads", content=sent, headers={"Content-Type": "application/json"}).json()
    assert (made["title"], made["details"]) == ("a\ufffdb", kept)
    assert client.delete(f"/api/threads/{made['id']}").status_code == 204


def test_details_that_are_nested_too_deeply_are_refused(client):
    sent = '{"details": {"a": ' + "[" * 300 + "]" * 300 + "}}"
    answer = client.post("/api/threads", content=sent, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "details")
