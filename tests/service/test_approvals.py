"""Writes on the command line: shown with their exact request, and run as a person decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.documents import write
from tests.support.model_server import Reply

TOOLS = '''
from pathlib import Path
from langchain_core.tools import tool

@tool
def refund(order: int, amount: float) -> dict:
    """Give money back."""
    with Path("refunds.log").open("a") as log:
        log.write(f"{order} {amount}\\n")
    return {"refund": order}
'''
PLAN = Reply(calls=[("refund", {"order": 1042, "amount": 5})])


@pytest.fixture
def refunds(environment, tmp_path):
    write(tmp_path, {"till.py": TOOLS})
    environment |= {"SELFHELP_TOOLS": '["till:refund"]', "PYTHONPATH": str(tmp_path)}

    def done():
        log = Path(tmp_path / "refunds.log")
        return log.read_text().splitlines() if log.exists() else []

    return done


def test_an_approved_write_runs_and_the_turn_goes_on(run, model_server, refunds):
    model_server.will(PLAN, "Refunded.")
    done = run("ask", "Refund order 1042.", stdin="a\n")
    assert done.returncode == 0, done.stderr
    assert 'refund({"order": 1042, "amount": 5})' in done.stdout
    assert "Refunded." in done.stdout
    assert refunds() == ["1042 5.0"]


def test_an_edited_write_is_shown_with_its_difference_and_runs_as_it_is_then(run, model_server, refunds):
    model_server.will(PLAN, "Refunded.")
    done = run("ask", "Refund order 1042.", stdin="e\na\n", EDITOR="sed -i s/5/7/")
    assert done.returncode == 0, done.stderr
    assert '-  "amount": 5' in done.stdout
    assert '+  "amount": 7' in done.stdout
    assert "✓ 1 refund(order=1042, amount=7)" in done.stdout
    assert refunds() == ["1042 7.0"]


def test_a_write_whose_result_a_person_says_is_shown_as_finished(run, model_server, refunds):
    model_server.will(PLAN, "It was refunded by phone.")
    done = run("ask", "Refund order 1042.", stdin="s\ndone by phone\n")
    assert done.returncode == 0, done.stderr
    assert "✓ 1 refund(order=1042, amount=5)" in done.stdout
    assert refunds() == []


def test_an_editor_that_fails_changes_nothing_and_one_is_asked_again(run, model_server, refunds):
    model_server.will(PLAN, "Refunded.")
    done = run("ask", "Refund order 1042.", stdin="e\na\n", EDITOR="false")
    assert done.returncode == 0, done.stderr
    assert "The editor failed" in done.stdout
    assert refunds() == ["1042 5.0"]


def test_an_edit_that_is_no_object_is_not_taken(run, model_server, refunds):
    model_server.will(PLAN, "Refunded.")
    done = run("ask", "Refund order 1042.", stdin="e\na\n", EDITOR="sed -i '1s/{/[/;$s/}/]/;s/\"[a-z]*\": //'")
    assert done.returncode == 0, done.stderr
    assert "The arguments must be an object: {…}. That was not taken." in done.stdout
    assert refunds() == ["1042 5.0"]


def test_a_rejected_write_does_not_run_and_the_model_hears_why(run, model_server, refunds):
    def told(body):
        assert "a person rejected this: not today" in str(body["messages"][-1])

    model_server.will(PLAN, Reply(text="It was not refunded.", check=told))
    done = run("ask", "Refund order 1042.", stdin="r\nnot today\n")
    assert "It was not refunded." in done.stdout
    assert refunds() == []


def test_what_nobody_decided_waits_and_can_be_approved_later(run, model_server, refunds):
    model_server.will(PLAN, "Refunded.")
    left = run("ask", "Refund order 1042.")
    assert left.returncode == 1
    assert "selfhelp approve goes on from here" in left.stderr
    assert refunds() == []
    done = run("approve", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Refunded." in done.stdout
    assert refunds() == ["1042 5.0"]
    again = run("approve", "--yes")
    assert (again.returncode, refunds()) == (1, ["1042 5.0"])
    assert "nothing waits to be approved" in again.stderr


def test_what_waits_is_found_behind_other_threads(run, model_server, refunds):
    model_server.will(PLAN, "Hello.", "Refunded.")
    run("ask", "Refund order 1042.")
    run("ask", "Hello?")
    listed = [json.loads(line) for line in run("threads", "list", "--json").stdout.splitlines()]
    assert [(thread["title"], thread["status"]) for thread in listed] == [
        ("Hello?", "idle"),
        ("Refund order 1042.", "waiting"),
    ]
    done = run("approve", "--yes")
    assert done.returncode == 0, done.stderr
    assert refunds() == ["1042 5.0"]


def test_a_persona_that_is_not_there_leaves_no_turn_behind(run, refunds):
    assert "there is no persona 'nobody'" in run("ask", "Hello?", "--persona", "nobody").stderr
    assert "nothing waits to be approved" in run("approve").stderr
    assert run("threads", "list").stdout == "no threads yet: selfhelp chat begins one\n"


DYING = TOOLS.replace(
    'return {"refund": order}', 'Path("dead").exists() or (Path("dead").touch(), os.kill(os.getpid(), 9))'
).replace("\nfrom pathlib", "\nimport os\nfrom pathlib")


def test_after_kill_9_the_person_is_asked_what_nobody_can_know_and_the_turn_goes_on(
    run, model_server, refunds, tmp_path
):
    write(tmp_path, {"till.py": DYING})
    model_server.will(PLAN, Reply(text="It is paid.", check=lambda body: str(body["messages"][-1]).index("I looked")))
    assert run("ask", "Refund order 1042.", "--yes").returncode == -9
    assert refunds() == ["1042 5.0"]
    done = run("approve", stdin="r\nI looked, it is paid\n")
    assert done.returncode == 0, done.stderr
    assert "This turn was cut off, and goes on." in done.stdout
    assert "whether it took effect is not known. Send it again?" in done.stdout
    assert refunds() == ["1042 5.0"]


def test_an_approved_turn_goes_on_as_the_persona_that_it_began_with(run, model_server, refunds, tmp_path):
    prompt = "---\nname: till\ndescription: The till.\n---\nYou are the till.\n"
    write(tmp_path, {"personas/till.md": prompt})
    speaks = [lambda body: str(body["messages"][0]).index("You are the till.")] * 2
    model_server.will(Reply(calls=PLAN.calls, check=speaks[0]), Reply(text="Refunded.", check=speaks[1]))
    run("ask", "Refund order 1042.", "--persona", "till")
    assert run("approve", "--yes").returncode == 0
    assert refunds() == ["1042 5.0"]


def test_with_yes_nobody_is_asked(run, model_server, refunds):
    model_server.will(PLAN, "Refunded.")
    assert run("ask", "Refund order 1042.", "--yes").returncode == 0
    assert refunds() == ["1042 5.0"]


def test_as_json_what_waits_is_printed_and_nothing_runs(run, model_server, refunds):
    model_server.will(PLAN)
    done = run("ask", "Refund order 1042.", "--json")
    waiting = json.loads(done.stdout)
    assert done.returncode == 1
    assert waiting["waiting"][0]["args"] == {"order": 1042, "amount": 5}
    assert refunds() == []


def test_in_a_chat_a_write_can_be_left_and_the_talk_goes_on(run, model_server, refunds):
    model_server.will(PLAN, "Refunded.", "You are welcome.")
    done = run("chat", stdin="Refund order 1042.\nwhat?\na\nthanks\n/quit\n")
    assert done.returncode == 0, done.stderr
    assert "Refunded." in done.stdout
    assert "You are welcome." in done.stdout
    assert refunds() == ["1042 5.0"]
