"""Runs over HTTP: a real process of the service, and a scripted model."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest

from service.runs.follow import Followers
from service.runs.records import Event
from tests.support.model_server import Reply
from tests.support.talk import Talk, text_of, told, until

ANSWER = "It comes to 59.70, which is what three of them cost together."


def calls(*given):
    return Reply(calls=list(given))


def test_a_run_is_streamed_with_numbers_and_ends_with_its_answer(client, talk, model):
    model.will(calls(("calculator", {"expression": "19.9*3"})), ANSWER)
    asked = {"text": "How much is 19.90 times 3?"}
    with client.stream("POST", f"/api/threads/{talk.thread}/runs?stream=true", json=asked) as answer:
        events = list(told(answer))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    steps = [event.data["status"] for event in events if event.event == "step"]
    assert steps == ["started", "finished"]
    assert text_of(events) == ANSWER
    message, end = events[-2:]
    assert (message.event, message.data["text"], message.data["plan"][0]["resolved"]) == (
        "answer",
        ANSWER,
        {"expression": "19.9*3"},
    )
    assert (end.event, end.data) == ("end", {"status": "finished"})
    whole = talk.read()
    assert (whole["title"], whole["status"], whole["run"]) == ("How much is 19.90 times 3?", "idle", None)
    assert whole["messages"][1] == message.data


def test_who_comes_back_gets_exactly_what_was_missed(talk, model):
    gate = threading.Event()
    model.will(Reply(text=ANSWER, gate=gate))
    run = talk.start("How much?")
    with talk.following(run) as events:
        before = until(events, "token")
    gate.set()
    after = talk.events(run, before[-1].number)
    assert [event.number for event in before + after] == list(range(1, len(before + after) + 1))
    assert text_of(before + after) == ANSWER
    assert after[-1].event == "end"
    assert talk.events(run, after[-1].number - 1) == after[-1:]
    assert [talk.events(run, behind) for behind in (after[-1].number, 99_999)] == [[], []]


def test_a_run_goes_on_when_nobody_listens(client, talk, model):
    gate = threading.Event()
    model.will(Reply(text=ANSWER, gate=gate))
    url, wanted = f"/api/threads/{talk.thread}/runs", {"Accept": "text/event-stream"}
    with client.stream("POST", url, json={"text": "How much?"}, headers=wanted) as answer:
        until(told(answer), "token")
    run = talk.read()["run"]
    assert (run["status"], answer.headers["Content-Location"]) == ("running", f"/api/runs/{run['id']}")
    gate.set()
    ended = talk.join(run["id"])
    assert (ended["status"], ended["message"]["text"]) == ("finished", ANSWER)
    assert talk.said() == ["How much?", ANSWER]


def test_a_cancelled_run_ends_and_its_thread_goes_on(client, talk, model):
    def told_that_it_was_cut_off(body):
        assert "not run to its end" in str(body["messages"])

    model.will(calls(("hang", {"text": uuid4().hex})), Reply(text="Well.", check=told_that_it_was_cut_off))
    run = talk.start("Wait.")
    with talk.following(run) as events:
        until(events, "step", status="started")
        cancelled = client.post(f"/api/runs/{run}/cancel").json()
        rest = list(events)
    assert (cancelled["status"], rest[-1].event, rest[-1].data) == ("cancelled", "end", {"status": "cancelled"})
    assert talk.ask("And now?")["message"]["text"] == "Well."
    assert client.post(f"/api/runs/{run}/cancel").json()["status"] == "cancelled"


def test_a_second_run_of_a_thread_is_refused_or_queued_and_never_interleaved(client, talk, model):
    gate = threading.Event()
    model.will(Reply(text="First.", gate=gate), "Second.", "Third.")
    talk.start("One?")
    refused = client.post(f"/api/threads/{talk.thread}/runs", json={"text": "No?"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "busy")
    second, third = talk.start("Two?", if_busy="queue"), talk.start("Three?", if_busy="queue")
    assert client.get(f"/api/runs/{third}").json()["status"] == "queued"
    gate.set()
    assert talk.join(third)["status"] == "finished"
    assert talk.join(second)["status"] == "finished"
    assert talk.said() == ["One?", "First.", "Two?", "Second.", "Three?", "Third."]


def test_a_queued_run_can_be_cancelled(client, talk, model):
    gate = threading.Event()
    model.will(Reply(text="First.", gate=gate))
    first = talk.start("One?")
    second = talk.start("Two?", if_busy="queue")
    assert client.post(f"/api/runs/{second}/cancel").json()["status"] == "cancelled"
    assert [event.event for event in talk.events(second)] == ["end"]
    gate.set()
    assert talk.join(first)["status"] == "finished"
    assert talk.said() == ["One?", "First."]


def test_a_run_that_fails_says_why_and_its_thread_goes_on(talk, model):
    model.will("Here again.")
    run = talk.start("Go.", context={"persona": "broken"})
    events = talk.events(run)
    assert [event.event for event in events] == ["error", "end"]
    assert "no_such_tool" in events[0].data["message"]
    assert talk.join(run)["status"] == "failed"
    assert talk.ask("Still there?")["message"]["text"] == "Here again."


def test_the_model_calls_of_a_run_are_in_the_ledger_when_it_has_ended(shared_service, talk, model):
    model.will(calls(("calculator", {"expression": "1+1"})), "2.")
    run = talk.ask("1+1?")["id"]
    with closing(sqlite3.connect(shared_service.database.with_name("ledger.sqlite"))) as ledger:
        wanted = "SELECT owner, node, model FROM model_calls WHERE turn = ? ORDER BY at"
        rows = ledger.execute(wanted, [run]).fetchall()
    assert rows == [("local", "planner", "compatible:test"), ("local", "responder", "compatible:test")]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, "text"),
        ({"text": "x", "context": {"owner": "somebody"}}, "context.owner"),
        ({"text": "x", "context": {"approvals": {"*": "never"}}}, "context.approvals"),
        ({"text": "x", "context": {"persona": "nobody"}}, "persona"),
    ],
)
def test_a_run_that_cannot_be_meant_is_refused(client, talk, body, wrong):
    refused = client.post(f"/api/threads/{talk.thread}/runs", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, wrong)
    assert talk.read()["messages"] == []


def test_a_number_of_an_event_is_a_number(client, talk, model):
    model.will("Yes.")
    run = talk.ask("Well?")["id"]
    refused = client.get(f"/api/runs/{run}/events", headers={"Last-Event-ID": b"\xb2"})
    assert refused.status_code == 422


def test_what_is_anothers_is_not_there(shared_service, client, model):
    model.will("A secret.")
    theirs = Talk(client)
    run = theirs.ask("Tell me.")["id"]
    with closing(sqlite3.connect(shared_service.database)) as database, database:
        database.execute("UPDATE threads SET owner = 'other' WHERE id = ?", [theirs.thread])
        database.execute("UPDATE runs SET owner = 'other' WHERE id = ?", [run])
    thread = f"/api/threads/{theirs.thread}"
    requests = [
        *(client.build_request("GET", f"{thread}{end}") for end in ("", "/checkpoints", "/export", "/sources/1")),
        client.build_request("PATCH", thread, json={"title": "mine"}),
        client.build_request("DELETE", thread),
        client.build_request("POST", f"{thread}/fork", json={}),
        client.build_request("POST", f"{thread}/runs", json={"text": "And more?"}),
        *(client.build_request("GET", f"/api/runs/{run}{end}") for end in ("", "/events", "/join")),
        client.build_request("POST", f"/api/runs/{run}/cancel"),
        client.build_request("POST", f"/api/runs/{run}/decisions", json={"decisions": []}),
    ]
    for request in requests:
        assert client.send(request).status_code == 404, request.url
    assert theirs.thread not in client.get("/api/threads?limit=200").text


async def test_a_run_that_ends_while_its_events_are_looked_for_is_told_whole():
    class Log:
        """A log to which a run's end comes right behind a reader's first look."""

        listened_to = ()

        def __init__(self):
            self.told = []

        @contextmanager
        def listening(self, run_id):
            self.queue = asyncio.Queue()
            yield self.queue

        async def read(self, run_id, after):
            seen = [event for event in self.told if event.number > after]
            if not self.told:
                self.told = [Event(1, "token", {"text": "Yes."}), Event(2, "end", {})]
                for event in self.told:
                    self.queue.put_nowait(event)
            return seen

        async def has_end(self, run_id):
            return bool(self.told)

    followers = Followers(Log(), own=())
    assert [event.number async for event in followers.follow("run", 0)] == [1, 2]
