"""`selfhelp record` and `selfhelp replay`, as they are typed."""

from __future__ import annotations

import json

import pytest

from tests.support.model_server import Reply

ASKED = ("19.90 times 3?", "And half of it?")


def test_a_conversation_is_recorded_replayed_and_compared(run, model_server, tmp_path):
    model_server.will(Reply(calls=[("calculator", {"expression": "19.90 * 3"})]), "59.70.", "Half is 29.85.")
    done = run("record", "c/sums.yaml", *ASKED)
    assert done.returncode == 0, done.stderr
    assert "c/sums.yaml: 2 turns, 3 model calls, 1 tool call\n" in done.stdout

    done = run("replay", "c/sums.yaml", SELFHELP_BASE_URL="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "✓ c/sums.yaml  2 turns, 3 model calls, 1 tool call\n"

    path = tmp_path / "c" / "sums.yaml"
    path.write_text(path.read_text().replace("answer: Half is 29.85.", "answer: Half is 30."))
    done = run("replay", "c/sums.yaml", "--json")
    [differs] = json.loads(done.stdout)["differences"]
    assert (done.returncode, differs["what"]) == (1, "turn 2: the answer")
    assert differs["diff"].splitlines()[-2:] == ["-Half is 30.", "+Half is 29.85."]


def test_what_was_recorded_over_documents_is_replayed_without_them(run, model_server, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "hours.txt").write_text("The shop opens at nine on weekdays.\n")
    (tmp_path / "selfhelp.toml").write_text('[knowledge]\nsources = ["docs"]\n')
    model_server.will(Reply(calls=[("search", {"query": "opens"})]), "At nine [1].")
    assert run("record", "hours.yaml", "When do you open?").returncode == 0
    done = run("replay", "hours.yaml")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("a: [", "no YAML"), ("turns: 1", "is no cassette: ")]
)
def test_what_is_no_cassette_is_said(run, tmp_path, content, said):
    if content:
        (tmp_path / "broken.yaml").write_text(content)
    done = run("replay", "broken.yaml")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
