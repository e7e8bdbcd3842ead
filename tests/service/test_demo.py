"""The demo: a backend of its own, and a write that a person decides on."""

from __future__ import annotations

import json
import os
import pty
import subprocess

from service.demo import REFUND
from tests.support.model_server import Reply
from tests.support.processes import SELFHELP

ASKED = ["demo", "--question", REFUND]
PLAN = Reply(calls=[("createRefund", {"order_id": 1042}), ("getCustomer", {"customer_id": "${1.customer_id}"})])


def told(body):
    results = [json.loads(message["content"]) for message in body["messages"] if message["role"] == "tool"]
    assert [results[0]["amount"], results[1]["balance"]] == [88.9, 113.9]


ANSWER = Reply("113.90 EUR are left.", check=told)


def test_what_writes_is_approved_by_itself_when_that_is_wished(run, model_server):
    model_server.will(PLAN, ANSWER)
    done = run(*ASKED, "--yes")
    assert done.returncode == 0, done.stderr
    assert "113.90 EUR are left." in done.stdout


def test_without_anybody_to_ask_it_shows_what_waits_and_does_nothing(run, model_server):
    model_server.will(PLAN)
    done = run(*ASKED)
    assert done.returncode == 0, done.stderr
    assert "/refunds" in done.stdout
    assert "Authorization: ***" in done.stdout
    assert "selfhelp demo --yes" in done.stdout


def test_as_json_a_line_says_what_waits(run, model_server):
    model_server.will(PLAN)
    done = run(*ASKED, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["waiting"][0]["name"] == "createRefund"


def test_a_person_at_the_terminal_decides(environment, model_server, tmp_path):
    model_server.will(PLAN, ANSWER)
    ours, theirs = pty.openpty()
    command = [SELFHELP, *ASKED]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = read_until(ours, b"its result is? ")
        os.write(ours, b"a\n")
        shown += read_until(ours, b"113.90 EUR are left.")
        read_until(ours, None)
    os.close(ours)
    assert process.returncode == 0
    assert b"POST http://127.0.0.1" in shown


def read_until(terminal, end):
    shown = b""
    while end is None or end not in shown:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the process has ended
            break
        shown += piece
    return shown
