"""Several processes of the service over one database: each can start, follow, cancel and take over what others run."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest

from tests.support import postgres
from tests.support.model_server import Reply
from tests.support.processes import wait_until
from tests.support.service_process import running
from tests.support.talk import Talk, text_of, until

ANSWER = "It is done, and it was done once."
FAR = 1e12  # a lease that does not run out while a test looks on
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True, scope="module")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request):
    """Settings that name a database."""
    if request.param == "sqlite":
        yield {}
        return
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.serve() as url:
        yield {"SELFHELP_DATABASE_URL": url}


@pytest.fixture(scope="module")
def first(new_service, database):
    """The process that stays."""
    with running(new_service(name="first", **database)) as service:
        yield service
    assert "Traceback" not in service.log


@pytest.fixture(scope="module")
def second(first, new_service, database):
    """Another process, which a test may end: the next one gets it anew."""
    service = new_service(first.folder, "second", **database)
    try:
        yield service
    finally:
        service.end(signal.SIGKILL)


@pytest.fixture
def talks(first, second, model):
    """A thread as clients of the two processes have it."""
    if second.process is None:
        second.start()
    with first.client() as one, second.client() as two:
        talk = Talk(one)
        yield talk, Talk(two, talk.thread)


@pytest.fixture
def plan(first):
    """A plan of a write and then of a read that waits to be let go, which is the second value."""
    name = uuid4().hex
    return Reply(calls=[("note", {"text": name}), ("hang", {"text": "${1}"})]), first.folder / f"{name}+.go", name


def notes(service, name):
    return (service.folder / "runs.log").read_text().splitlines().count(f"note {name}")


def test_a_run_of_one_process_is_followed_and_cancelled_in_another(talks, model, plan):
    here, there = talks
    model.will(plan[0])
    run = here.start("Go.")
    with there.following(run) as events, here.following(run) as same:
        seen = until(events, "step", tool="hang", status="started")
        refused = there.client.post(f"/api/threads/{there.thread}/runs", json={"text": "Me too."})
        cancelled = there.client.post(f"/api/runs/{run}/cancel").json()
        seen += events
        assert seen == list(same)
    assert (refused.status_code, cancelled["status"]) == (409, "cancelled")
    assert (seen[-1].event, seen[-1].data) == ("end", {"status": "cancelled"})


def test_who_follows_a_run_in_another_process_hears_that_its_thread_was_deleted(talks, model):
    here, there = talks
    model.will(Reply(calls=[("hang", {"text": uuid4().hex})]))
    run = here.start("Go.")
    with there.following(run) as events:
        until(events, "step")
        assert here.client.delete(f"/api/threads/{here.thread}").status_code == 204
        assert {event.event for event in events} <= {"end"}
    assert there.client.get(f"/api/threads/{there.thread}").status_code == 404


def test_what_waits_in_one_process_is_decided_in_another(talks, model, first, plan):
    here, there = talks
    name = plan[2]
    model.will(Reply(calls=[("note", {"text": name})]), ANSWER)
    run = there.ask("Go.", context={"persona": "careful"})["id"]
    with there.following(run) as events:
        until(events, "waiting")
        decided = here.client.post(f"/api/runs/{run}/decisions", json={"decisions": [{"type": "approve"}]})
        assert decided.status_code == 202
        assert text_of(list(events)) == ANSWER
    assert notes(first, name) == 1


def test_a_run_queued_in_one_process_begins_after_that_of_another(talks, model):
    here, there = talks
    gate = threading.Event()
    model.will(Reply(text="First.", gate=gate), "Second.")
    here.start("One?")
    second = there.start("Two?", if_busy="queue")
    gate.set()
    assert here.join(second)["message"]["text"] == "Second."
    assert there.said() == ["One?", "First.", "Two?", "Second."]


def test_a_process_that_is_killed_loses_nothing_and_repeats_nothing(talks, first, second, model, plan):
    here, there = talks
    reply, go, name = plan
    model.will(reply, ANSWER)
    run = there.start("Go.")
    with there.following(run) as events:
        before = until(events, "step", tool="hang", status="started")
    with here.following(run, before[-1].number) as events:
        second.end(signal.SIGKILL)
        first.make_silent(run)
        after = until(events, "restart")
        go.touch()
        after += events
    whole = before + after
    assert [event.number for event in whole] == list(range(1, len(whole) + 1))
    finished = [event.data["tool"] for event in whole if event.event == "step" and event.data["status"] == "finished"]
    assert finished == ["note", "hang"]
    assert (notes(first, name), text_of(after)) == (1, ANSWER)
    assert here.said() == ["Go.", ANSWER]


def test_a_process_that_ends_hands_over_what_runs_and_leaves_what_waits(talks, first, second, model, plan):
    here, there = talks
    name = plan[2]
    model.will(Reply(calls=[("note", {"text": name})]))
    asking = Talk(here.client)
    waits = Talk(there.client, asking.thread).ask("Pay.", context={"persona": "careful"})["id"]
    held = threading.Event()
    model.will(Reply(text="This is void", gate=held), ANSWER)
    run = there.start("Go.")
    with there.following(run) as events:
        before = until(events, "token")
        ending = threading.Thread(target=second.end)
        ending.start()
        before += events
    assert (before.pop().event, before[-1].number) == ("leaving", len(before))
    ending.join()
    held.set()
    assert "Traceback" not in second.log
    after = here.events(run, before[-1].number)
    assert [event.number for event in before + after] == list(range(1, len(before + after) + 1))
    kinds = [event.event for event in before + after]
    assert (kinds.count("restart"), kinds.count("end"), after[-1].data) == (1, 1, {"status": "finished"})
    assert text_of((before + after)[kinds.index("restart") :]) == ANSWER
    model.will("Paid.")
    here.client.post(f"/api/runs/{waits}/decisions", json={"decisions": [{"type": "approve"}]})
    assert asking.join(waits)["message"]["text"] == "Paid."
    assert notes(first, name) == 1


@ON_SQLITE
def test_a_run_that_is_cancelled_after_its_process_has_died_ends(talks, first, model, plan):
    _, there = talks
    model.will(plan[0])
    run = there.start("Go.")
    with there.following(run) as events:
        until(events, "step", tool="hang", status="started")
        # As if this process had died: nobody of the other takes it for its own any more.
        first.change(run, "worker = 'dead', cancelled = TRUE, lease = 0")
        assert list(events)[-1].data == {"status": "cancelled"}


@ON_SQLITE
def test_a_run_whose_processes_keep_dying_is_given_up(talks, first, model, plan):
    here, there = talks
    model.will(plan[0], "And now.")
    run = there.start("Go.")
    with there.following(run) as events:
        until(events, "step", tool="hang", status="started")
        # As if this process had died once more: it would take the run for its own again, and keep it.
        first.change(run, "worker = 'dead', lease = 0, takeovers = 3")
        assert [event.event for event in events][-2:] == ["error", "end"]
    assert here.join(run)["status"] == "failed"
    assert there.ask("And now?")["message"]["text"] == "And now."


@ON_SQLITE
def test_a_decided_write_happens_once_though_its_process_is_killed(talks, first, second, model, plan):
    here, there = talks
    reply, go, name = plan
    model.will(reply, ANSWER)
    run = there.ask("Go.", context={"persona": "careful"})["id"]
    with there.following(run) as events:
        until(events, "waiting")
        there.client.post(f"/api/runs/{run}/decisions", json={"decisions": [{"type": "approve"}]})
        until(events, "step", tool="note", status="finished")
    second.end(signal.SIGKILL)
    first.make_silent(run)
    go.touch()
    ended = here.join(run)
    assert (ended["status"], ended["message"]["text"], notes(first, name)) == ("finished", ANSWER, 1)


def lease_of(service, run):
    with closing(sqlite3.connect(service.database)) as connection:
        return connection.execute("SELECT lease FROM runs WHERE id = ?", [run]).fetchone()[0]


def respond(client, text, **options):
    """Return a response of OpenAI's protocol."""
    asked = {"model": "helpdesk", "input": text, **options}
    return client.post("/v1/responses", json=asked).raise_for_status().json()


@contextmanager
def responding(client, text, **options):
    """Stream a response, and give the run that it is, and its events."""
    asked = {"model": "helpdesk", "input": text, "stream": True, **options}
    with client.stream("POST", "/v1/responses", json=asked) as answer:
        events = (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: "))
        yield next(events)["response"]["id"].removeprefix("resp_"), events


@ON_SQLITE
def test_a_response_whose_process_is_killed_is_given_up_and_its_thread_is_free(talks, first, second, model, plan):
    here, there = talks
    reply, go, name = plan
    model.will("Hello.", reply, "As before.", "Free again.")
    begun = respond(there.client, "Hi.")
    with responding(there.client, "Go.", previous_response_id=begun["id"]) as (run, _):
        wait_until(go.with_suffix(".pid").exists)
        second.end(signal.SIGKILL)
    first.change(run, f"lease = {FAR}")
    lost = here.client.get(f"/api/runs/{run}").json()
    talk = Talk(here.client, lost["thread_id"])
    refused = here.client.post(f"/api/threads/{talk.thread}/runs", json={"text": "Too early."})
    assert (lost["status"], refused.status_code) == ("running", 409)
    again = respond(here.client, "Go.", previous_response_id=begun["id"])
    assert again["output"][0]["content"][0]["text"] == "As before."
    first.make_silent(run)
    assert [event.event for event in talk.events(run)] == ["error", "end"]
    ended = here.client.get(f"/api/runs/{run}").json()
    assert (ended["status"], ended["error"].split(":")[0]) == ("failed", "given up")
    assert talk.ask("And now?")["message"]["text"] == "Free again."
    assert here.client.get(f"/v1/responses/resp_{run}").status_code == 404
    assert notes(first, name) == 1


@ON_SQLITE
def test_a_response_that_takes_long_stays_its_process_s_and_can_be_cancelled_in_another(talks, first, model):
    here, there = talks
    model.will(Reply(calls=[("hang", {"text": uuid4().hex})]), "And now.")
    with responding(there.client, "Go.") as (run, events):
        first.change(run, f"lease = {FAR}")
        wait_until(lambda: lease_of(first, run) < FAR)
        cancelled = here.client.post(f"/api/runs/{run}/cancel").json()
        *_, last = events
    assert (cancelled["status"], last["type"]) == ("cancelled", "response.failed")
    assert "cancelled" in last["response"]["error"]["message"]
    assert Talk(here.client, cancelled["thread_id"]).ask("And now?")["message"]["text"] == "And now."


def test_a_stream_of_openai_s_is_told_that_its_process_ends(new_service, model):
    gate = threading.Event()
    with running(new_service()) as service, service.client() as client:
        model.will(Reply("Never told.", gate=gate))
        asked = {"model": "helpdesk", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        with client.stream("POST", "/v1/chat/completions", json=asked) as stream:
            lines = stream.iter_lines()
            assert "Never" in next(line for line in lines if '"content": "N' in line)
            service.process.terminate()
            *_, last = [line for line in lines if line]
        gate.set()
        assert "about to end" in last
        service.process.wait(100)
        assert "Traceback" not in service.log
