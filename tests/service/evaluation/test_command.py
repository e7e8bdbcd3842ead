"""`selfhelp eval` as a person runs it, through a kill too."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from agent.errors import SettingsError
from service.evaluation.evaluate import Wish, evaluate
from tests.support.model_server import Reply
from tests.support.processes import SELFHELP


@pytest.fixture
def cases(tmp_path):
    path = tmp_path / "set.jsonl"
    lines = [{"id": f"c{number}", "question": f"Question {number}", "facts": ["42"]} for number in range(6)]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return str(path)


@pytest.fixture
def evaluated(settings, cases):
    async def evaluate_set(*, as_text=False, **wish):
        console = Console(file=StringIO(), width=160)
        complete = await evaluate(settings, Wish(cases, **wish), console, as_json=not as_text)
        said = console.file.getvalue()
        return complete, said if as_text else json.loads(said)

    return evaluate_set


def question(body):
    return body["messages"][-1]["content"]


async def test_it_goes_on_where_it_was_killed(environment, evaluated, model_server, cases, tmp_path, capsys):
    held, reached = threading.Event(), threading.Event()

    def reply(body):
        if question(body) == "Question 3":
            reached.set()
            return Reply("It is 42.", gate=held)
        return Reply("It is 42." if question(body) != "Question 1" else "I do not know.")

    model_server.repeat = reply
    command = [SELFHELP, "eval", cases, "--parallel", "1", "--out", "out"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        assert reached.wait(100)
        process.send_signal(signal.SIGKILL)
    held.set()
    kept = (tmp_path / "out" / "outcomes.jsonl").read_text().splitlines()
    assert [json.loads(line)["case"] for line in kept] == ["c0", "c1", "c2"]

    out = tmp_path / "out"
    complete, found = await evaluated(out=out)
    assert complete
    assert Counter(map(question, model_server.requests)) == {
        f"Question {number}": 2 if number == 3 else 1 for number in range(6)
    }
    assert [each["correct"] for each in found["results"]] == [True, False, True, True, True, True]

    _, said = await evaluated(out=out, as_text=True)
    assert len(model_server.requests) == 7
    assert "83% (44 to 97)" in said
    assert "6 of 6 answers were there from before" in capsys.readouterr().err
    assert (out / "report.html").read_text().startswith("<!doctype html>")

    await evaluated(out=out, again=True, limit=2, html=tmp_path / "mine.html")
    assert len(model_server.requests) == 9
    assert (tmp_path / "mine.html").exists()
    assert (out / "outcomes.1.jsonl").exists()


async def test_configurations_and_a_judge_stand_side_by_side(evaluated, model_server):
    def reply(body):
        if body["model"] == "judge":
            return Reply('{"reasoning": "It is so.", "score": true}')
        return Reply("It is 42." if body["model"] == "good" else "It is 41.")

    model_server.repeat = reply
    complete, found = await evaluated(models=["compatible:good", "compatible:bad"], judge="compatible:judge")
    assert complete
    assert [(each["name"], each["correct"]["value"]) for each in found["configurations"]] == [
        ("compatible:good", 1.0),
        ("compatible:bad", 0.0),
    ]
    assert (found["judge"]["of"], found["judge"]["same"], found["judge"]["lenient"]) == (12, 6, 6)
    [correct] = [each for each in found["comparisons"] if each["measure"] == "correct"]
    assert (correct["value"], correct["of"]) == (1.0, 6)


async def test_what_cannot_be_answered_for_want_of_a_model_is_not_complete(evaluated, model_server):
    model_server.repeat = lambda body: Reply(status=400)
    complete, found = await evaluated(limit=1)
    assert not complete
    assert found["configurations"][0]["failed"] == 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"configurations": ["a=top_k=x"]}, "--config a=top_k=x: top_k"),
        ({"configurations": ["a=persona=nobody"]}, "there is no persona 'nobody'"),
        ({"models": ["nothing:x"]}, "there is no model 'nothing:x'"),
    ],
)
async def test_what_is_used_wrongly_says_so_before_anything_is_asked(wish, said, evaluated):
    with pytest.raises(SettingsError, match=said):
        await evaluated(**wish)
