"""The command line as its user meets it: in a process of its own."""

from __future__ import annotations

import codecs
import json
import os
import pty
import select
import signal
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from agent.knowledge.ingest import SENT_AT_ONCE
from tests.support import embedding_server
from tests.support.model_server import Reply
from tests.support.processes import SELFHELP


def documents(folder: Path) -> Path:
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\n## Time\n\nYou can return an item within 30 days of delivery.\n")
    (folder / "hours.txt").write_text("Opening hours\n\nThe shop opens at nine on weekdays.\n")
    return folder


def test_ask_prints_plan_answer_sources_and_figures(run, model_server, tmp_path):
    assert run("index", str(documents(tmp_path / "docs"))).returncode == 0
    model_server.will(Reply(calls=[("search", {"query": "return an item"})]), "Within 30 days [1]. Or never [9].")
    done = run("ask", "How long can I return?")
    assert done.returncode == 0, done.stderr
    assert '✓ 1 search(query="return an item")' in done.stdout
    assert "Within 30 days [1]. Or never." in done.stdout
    assert "[1] Returns › Time  returns.md" in done.stdout
    assert "2 model calls" in done.stdout
    assert "1 false citation removed" in done.stdout


def test_what_nothing_bears_out_is_told_below_the_answer(run, model_server):
    model_server.will("You can return it within 60 days.", "You can return it within 60 days.")
    done = run("ask", "How long can I return?")
    assert "⚑ “60 days”: in no passage, result or question" in done.stdout
    assert "⚑ This answer rests on no document or result." in done.stdout
    flags = json.loads(run("ask", "How long can I return?", "--json").stdout)["flags"]
    assert [flag["kind"] for flag in flags] == ["number", "unsupported"]


def test_ask_as_json_is_one_object(run, model_server):
    model_server.will(Reply(calls=[("calculator", {"expression": "6*7"})]), "It is 42.")
    done = run("ask", "6 times 7?", "--json")
    answer = json.loads(done.stdout)
    assert answer["text"] == "It is 42."
    assert answer["plan"][0]["status"] == "finished"
    assert answer["usage"]["input"] > 0
    assert answer["thread"]


def test_a_thread_is_carried_on(run, model_server):
    model_server.will("Hello Ada.", "You are Ada.")
    run("ask", "I am Ada", "--thread", "ada")
    done = run("ask", "-", "--thread", "ada", "--json", stdin="Who am I?")
    assert json.loads(done.stdout)["text"] == "You are Ada."
    assert "I am Ada" in str(model_server.requests[1])


def test_chat_talks_and_knows_its_commands(run, model_server):
    model_server.will(Reply(calls=[("calculator", {"expression": "1+1"})]), "Two.", "Bien sûr.")
    lines = [
        "what is 1+1?",
        "/plan",
        "/cost",
        "/persona",
        "/persona tutor",
        "and again",
        "/nonsense",
        "/help",
        "/new",
        "/quit",
    ]
    done = run("chat", stdin="\n".join(lines))
    assert done.returncode == 0, done.stderr
    for text in (
        "Hello! What can I help you with?",
        "Two.",
        "✓ 1 calculator",
        "2 model calls",
        "tutor",
        "What would you like to understand",
        "Bien sûr.",
        "no command /nonsense",
        "/persona [NAME]",
    ):
        assert text in done.stdout, text
    assert "patient tutor" in model_server.requests[2]["messages"][0]["content"]


def test_a_turn_that_no_model_answers_fails_with_a_plain_notice(run, model_server):
    model_server.will(Reply(status=401))
    done = run("ask", "hi")
    assert done.returncode == 1
    assert "the key was refused" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_where_no_model_answers_and_nothing_fits_both_are_said(run, model_server, tmp_path):
    run("index", str(documents(tmp_path / "docs")))
    model_server.will(Reply(status=401))
    assert "Nothing that fits was found either." in run("ask", "xylophone").stdout


@pytest.mark.parametrize(
    ("arguments", "more", "message"),
    [
        (["ask", "  "], {}, "the question is empty"),
        (["ask", "hi", "--persona", "nobody"], {}, "no persona 'nobody'"),
        (["index"], {}, "which documents?"),
        (["ask", "hi"], {"SELFHELP_TOP_K": "many"}, "top_k"),
        (["ask", "hi"], {"SELFHELP_TOOLS": '["nowhere:tool"]'}, "'nowhere:tool' cannot be loaded"),
        (["ask", "hi"], {"SELFHELP_TOOLS": '["json:dumps"]'}, "'json:dumps' takes arguments"),
        (["ask", "hi"], {"SELFHELP_SETTINGS": "elsewhere.toml"}, "elsewhere.toml is not there"),
        (["frobnicate"], {}, "No such command"),
        (["ask", os.fsdecode(b"What is \xff?")], {}, "What is \ufffd? is not UTF-8"),
        (["index", os.fsdecode(b"\xff.md")], {}, "\ufffd.md is not UTF-8"),
    ],
)
def test_mistakes_of_the_user_are_said_in_one_line_with_exit_code_2(run, arguments, more, message):
    done = run(*arguments, **more)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_folder_is_said(run):
    done = run("index", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreadable_document_is_reported_and_the_rest_is_indexed(run, tmp_path):
    folder = documents(tmp_path / "docs")
    (folder / "bad.txt").write_bytes(b"\x00\xff\x00\xfe\x81")
    done = run("index", str(folder), "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert sorted(report["added"]) == ["hours.txt", "returns.md"]
    assert report["failed"][0][0] == "bad.txt"


def test_settings_come_from_the_file_and_the_environment_goes_over_it(run, model_server, tmp_path):
    (tmp_path / "selfhelp.toml").write_text('model = "compatible:from-file"\npersona = "tutor"\n')
    model_server.will("Hi.")
    run("ask", "hi", SELFHELP_MODEL="compatible:from-environment")
    assert model_server.requests[0]["model"] == "from-environment"
    assert "patient tutor" in model_server.requests[0]["messages"][0]["content"]


@pytest.mark.parametrize("text", [b"model = ", b'modell = "local"', "persona = 'möwe'".encode("latin-1")])
def test_a_settings_file_with_a_mistake_is_said(run, tmp_path, text):
    (tmp_path / "selfhelp.toml").write_bytes(text)
    done = run("ask", "hi")
    assert done.returncode == 2
    assert "selfhelp.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told(run):
    assert run("--version").stdout == f"selfhelp {version('selfhelp')}\n"


def test_what_is_piped_is_utf_8_whatever_the_locale_says(run, model_server, tmp_path):
    run("index", str(documents(tmp_path / "docs")))
    model_server.will(Reply(calls=[("search", {"query": "return an item"})]), "Within 30 days [1].")
    done = run("ask", "How long can I return?", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "[1] Returns › Time  returns.md" in done.stdout


def test_a_question_that_is_not_utf_8_is_asked_all_the_same(environment, model_server, tmp_path):
    model_server.will("Hello.")
    command = [SELFHELP, "ask", "-"]
    done = subprocess.run(
        command, check=False, input=b"Gr\xfc\xdfe", env=environment, cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Gr��e" in str(model_server.requests[-1]["messages"][-1]["content"])


def test_doctor_says_what_is_right(run, model_server):
    model_server.will("ok")
    done = run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert checks["model"]["found"] == "compatible:scripted answers (native plans)"
    assert "calculator (read)" in checks["tools"]["found"]


def test_doctor_says_what_is_wrong(run, model_server):
    model_server.will(Reply(status=401))
    done = run("doctor", SELFHELP_KNOWLEDGE__SOURCES='["nowhere"]', SELFHELP_TOPK="8")
    assert done.returncode == 1
    assert "is it SELFHELP_TOP_K?" in done.stdout
    assert "the key was refused" in done.stdout
    assert "nowhere is not there" in done.stdout


def test_the_demo_shows_a_plan_and_a_cited_answer(run, model_server):
    def has_passages(body):
        assert "[1] " in str(body["messages"][-2])

    plan = Reply(
        calls=[
            ("get_order", {"order_id": 1012}),
            ("search", {"query": "return label"}),
            ("calculator", {"expression": "${1.total} - 4.9"}),
        ]
    )
    model_server.will(plan, Reply(text="You get 284.10 EUR back [1].", check=has_passages))
    done = run("demo", "--question", "What do I get back for order 1012?")
    assert done.returncode == 0, done.stderr
    assert "✓ 3 calculator" in done.stdout
    assert "You get 284.10 EUR back [1]." in done.stdout


def test_in_a_terminal_ctrl_c_stops_the_answer_and_the_chat_goes_on(environment, model_server, tmp_path):
    import threading

    hold = threading.Event()
    model_server.will(Reply(text="One two three four five six seven.", gate=hold), "Still here.")
    with Terminal([SELFHELP, "chat"], environment | {"TERM": "xterm"}, tmp_path) as terminal:
        terminal.read_until("›")
        terminal.type("count\n")
        terminal.read_until("One")
        terminal.process.send_signal(signal.SIGINT)
        terminal.read_until("›")
        hold.set()
        terminal.type("are you there?\n")
        terminal.read_until("Still here.")
        terminal.type("/quit\n")
        assert terminal.process.wait(100) == 0


def test_in_a_terminal_the_passages_of_one_long_document_are_counted_as_they_are_embedded(environment, tmp_path):
    sections = SENT_AT_ONCE + 7
    (tmp_path / "long.md").write_text("\n\n".join(f"# Section {n}\n\nIt says {n}.\n" for n in range(sections)))
    with embedding_server.serve() as embedding:
        at_hand = {"SELFHELP_BASE_URL": embedding.url, "SELFHELP_KNOWLEDGE__EMBEDDER": "compatible:test"}
        with Terminal([SELFHELP, "index", "long.md"], environment | at_hand | {"TERM": "xterm"}, tmp_path) as terminal:
            terminal.read_until("Embedding passages")
            terminal.read_until(f"0/{sections}")
            embedding.answer_all()
            terminal.read_until("1 added")
            assert terminal.process.wait(100) == 0


class Terminal:
    """A program at a pseudo-terminal."""

    def __init__(self, command, environment, folder):
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=folder, start_new_session=True
        )
        os.close(slave)
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a character may come in two pieces
        self._seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text):
        os.write(self._master, text.encode())

    def read_until(self, text):
        while text not in self._seen:
            ready, _, _ = select.select([self._master], [], [], 120)
            assert ready, f"{text!r} did not come; so far: {self._seen!r}"
            self._seen += self._decoder.decode(os.read(self._master, 4096))
        self._seen = self._seen.split(text, 1)[1]


def test_a_port_that_another_program_has_is_said(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: port {port} of 127.0.0.1 cannot be listened on: Address already in use.")
    assert "Started server process" not in done.stderr
