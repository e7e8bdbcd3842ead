"""What waits for a person: listed, decided on over HTTP, and never twice."""

from __future__ import annotations

import threading

import pytest

from tests.support.model_server import Reply
from tests.support.talk import text_of, until

PLAN = Reply(calls=[("note", {"text": "pay"})])
CAREFUL = {"persona": "careful"}


@pytest.fixture
def waiting(talk, model):
    model.will(PLAN)
    return talk.ask("Pay.", context=CAREFUL)


def decide(client, run, *decisions):
    return client.post(f"/api/runs/{run}/decisions", json={"decisions": decisions})


def edited(text, name="note"):
    return {"type": "edit", "edited_action": {"name": name, "args": {"text": text}}}


def test_what_waits_is_listed_with_its_exact_request(client, talk, waiting, notes):
    [listed] = [item for item in client.get("/api/approvals").json()["items"] if item["run_id"] == waiting["id"]]
    assert listed == waiting["waiting"] == talk.read()["waiting"]
    assert (listed["title"], listed["thread_id"]) == ("Pay.", talk.thread)
    [action] = listed["actions"]
    assert (action["name"], action["args"]) == ("note", {"text": "pay"})
    assert '{"text": "pay"}' in action["description"]
    assert (talk.read()["status"], talk.read()["run"]["status"], notes()) == ("waiting", "waiting", [])


def test_an_approved_write_runs_and_the_same_run_goes_on(client, talk, model, waiting, notes):
    with talk.following(waiting["id"]) as events:
        before = until(events, "waiting")
        model.will("Paid.")
        decided = decide(client, waiting["id"], {"type": "approve"})
        after = list(events)
    assert (decided.status_code, decided.json()["id"], decided.json()["status"]) == (202, waiting["id"], "running")
    assert [event.number for event in before + after] == list(range(1, len(before + after) + 1))
    assert (text_of(after), after[-1].data) == ("Paid.", {"status": "finished"})
    assert notes() == ["note pay"]
    assert [step["status"] for step in talk.read()["messages"][-1]["plan"]] == ["finished"]
    assert waiting["id"] not in client.get("/api/approvals").text


def test_a_thread_in_which_something_was_decided_is_in_use(client, talk, model, waiting):
    before = talk.read()["updated"]
    model.will("Paid.")
    assert decide(client, waiting["id"], {"type": "approve"}).status_code == 202
    assert talk.join(waiting["id"])["status"] == "finished"
    in_use = talk.read()["updated"]
    assert in_use > before
    assert decide(client, waiting["id"], {"type": "approve"}).status_code == 409
    assert talk.read()["updated"] == in_use


def test_an_edited_write_runs_as_it_is_then(client, talk, model, waiting, notes):
    model.will("Paid.")
    assert decide(client, waiting["id"], edited("less")).status_code == 202
    assert talk.join(waiting["id"])["status"] == "finished"
    assert notes() == ["note less"]


def test_a_rejected_write_does_not_run_and_the_model_hears_why(client, talk, model, waiting, notes):
    def heard(body):
        assert "a person rejected this: not today" in str(body["messages"][-1])

    model.will(Reply(text="Not paid.", check=heard))
    assert decide(client, waiting["id"], {"type": "reject", "message": "not today"}).status_code == 202
    assert talk.join(waiting["id"])["message"]["text"] == "Not paid."
    assert notes() == []


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [{"type": "approve"}, {"type": "approve"}],
        [{"type": "agree"}],
        [{"type": "respond"}],
        [edited("x", name="another_tool")],
    ],
)
def test_decisions_that_do_not_fit_are_refused_and_can_be_given_again(client, talk, model, waiting, notes, wrong):
    refused = decide(client, waiting["id"], *wrong)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid")
    assert client.get(f"/api/runs/{waiting['id']}").json()["status"] == "waiting"
    model.will("Paid.")
    assert decide(client, waiting["id"], {"type": "approve"}).status_code == 202
    assert talk.join(waiting["id"])["status"] == "finished"
    assert notes() == ["note pay"]


def test_a_decision_counts_once(client, talk, model, waiting, notes):
    model.will("Paid.")
    assert decide(client, waiting["id"], {"type": "approve"}).status_code == 202
    again = decide(client, waiting["id"], {"type": "approve"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "not_waiting")
    assert talk.join(waiting["id"])["status"] == "finished"
    assert notes() == ["note pay"]


def test_a_run_that_asks_twice_waits_twice(client, talk, model, notes):
    model.will(Reply(calls=[("note", {"text": "one"}), ("note", {"text": "${1}two"})]), "Both.")
    run = talk.ask("Do both.", context=CAREFUL)
    assert [action["args"] for action in run["waiting"]["actions"]] == [{"text": "one"}]
    decide(client, run["id"], {"type": "approve"})
    run = talk.join(run["id"])
    assert [action["args"] for action in run["waiting"]["actions"]] == [{"text": "one+two"}]
    decide(client, run["id"], {"type": "approve"})
    assert talk.join(run["id"])["message"]["text"] == "Both."
    assert notes() == ["note one", "note one+two"]


def test_a_new_question_ends_what_waits(client, talk, model, waiting, notes):
    model.will("Something else.")
    assert talk.ask("Never mind.")["message"]["text"] == "Something else."
    assert client.get(f"/api/runs/{waiting['id']}").json()["status"] == "cancelled"
    assert talk.events(waiting["id"])[-1].data == {"status": "cancelled"}
    assert decide(client, waiting["id"], {"type": "approve"}).status_code == 409
    assert (talk.read()["status"], notes()) == ("idle", [])


def test_what_waits_can_be_cancelled(client, talk, model, waiting, notes):
    assert client.post(f"/api/runs/{waiting['id']}/cancel").json()["status"] == "cancelled"
    assert (talk.read()["waiting"], talk.read()["status"], notes()) == (None, "idle", [])


def test_a_queued_run_waits_until_what_waits_is_decided(client, talk, model, notes):
    gate = threading.Event()
    model.will(Reply(calls=PLAN.calls, gate=gate))
    first = talk.start("Pay.", context=CAREFUL)
    second = talk.start("And then?", if_busy="queue")
    gate.set()
    assert talk.join(first)["status"] == "waiting"
    assert client.get(f"/api/runs/{second}").json()["status"] == "queued"
    model.will("Paid.", "Then.")
    assert decide(client, first, {"type": "approve"}).status_code == 202
    assert talk.join(second)["message"]["text"] == "Then."
    assert talk.said() == ["Pay.", "Paid.", "And then?", "Then."]
    assert notes() == ["note pay"]
