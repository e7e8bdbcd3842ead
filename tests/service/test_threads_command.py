"""`selfhelp threads`: what is kept of conversations, whoever began them, and what is left of them afterwards."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

import pytest
from sqlalchemy import insert, update

from agent.settings import Settings
from service.cli import main
from service.records.database import open_database
from service.records.tables import runs, threads
from tests.support.model_server import Reply

SECRET = "xylophone"


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(model_server, tmp_path, monkeypatch, capsys):
    """Runs the command line in this process: it takes seconds to start another."""
    monkeypatch.chdir(tmp_path)
    settings = {"MODEL": "compatible:scripted", "BASE_URL": model_server.url, "KNOWLEDGE__EMBEDDER": "none"}
    for name, value in settings.items():
        monkeypatch.setenv(f"SELFHELP_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")

    def selfhelp(*arguments, stdin="", **more):
        capsys.readouterr()
        with monkeypatch.context() as patched:
            for name, value in more.items():
                patched.setenv(name, value)
            patched.setattr("sys.argv", ["selfhelp", *arguments])
            patched.setattr("sys.stdin", io.StringIO(stdin))
            with pytest.raises(SystemExit) as ended:
                main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return selfhelp


@pytest.fixture
def talked(run, model_server, tmp_path):
    """A thread of the command line."""
    model_server.will(Reply(calls=[("calculator", {"expression": "6*7"})]), f"It is 42, {SECRET}.")
    return json.loads(run("ask", "How much is six times seven?", "--json").stdout)["thread"]


def of_service(folder, name="b0b", owner="bob", **changes):
    """Put a thread of the service's on record."""
    row = {"id": name, "owner": owner, "title": "Boots", "persona": None, "origin": "service", "details": {}}

    async def add():
        async with open_database(Settings(data_dir=folder / ".selfhelp")) as database, database.begin() as connection:
            await connection.execute(insert(threads).values(**row, created=1.0, updated=time.time()))
            await connection.execute(update(threads).where(threads.c.id == name).values(**changes or {"persona": None}))

    asyncio.run(add())


def under_way(folder, thread):
    values = {"id": "r1", "thread_id": thread, "owner": "bob", "status": "running", "input": {}, "context": {}}

    async def add():
        async with open_database(Settings(data_dir=folder / ".selfhelp")) as database, database.begin() as connection:
            await connection.execute(insert(runs).values(**values, takeovers=0, cancelled=False, created=1.0))

    asyncio.run(add())


def listed(run, *options):
    return [json.loads(line) for line in run("threads", "list", "--json", *options).stdout.splitlines()]


def test_threads_of_everybody_are_listed_the_latest_first(run, talked, tmp_path):
    of_service(tmp_path, updated=5.0)
    assert [(each["id"], each["owner"], each["title"]) for each in listed(run)] == [
        (talked, None, "How much is six times seven?"),
        ("b0b", "bob", "Boots"),
    ]
    assert [each["id"] for each in listed(run, "--owner", "bob")] == ["b0b"]
    shown = run("threads", "list", "--limit", "1").stdout
    assert "How much is six times seven?" in shown
    assert "and 1 more" in shown


def test_a_thread_is_shown_and_exported(run, talked, tmp_path):
    assert f"It is 42, {SECRET}." in run("threads", "show", talked).stdout
    whole = json.loads(run("threads", "show", talked, "--json").stdout)
    assert [(each["role"], each["text"]) for each in whole["messages"]] == [
        ("user", "How much is six times seven?"),
        ("assistant", f"It is 42, {SECRET}."),
    ]
    assert run("threads", "export", talked, "--to", "thread.md").returncode == 0
    assert (tmp_path / "thread.md").read_text().startswith("# How much is six times seven?\n\n## You")
    assert json.loads(run("threads", "export", talked, "--format", "json").stdout) == whole


def test_a_deleted_thread_leaves_no_byte_behind(run, talked, tmp_path):
    refused = run("threads", "delete", talked, stdin="n\n")
    assert (refused.returncode, SECRET in everything(tmp_path)) == (1, True)
    assert run("threads", "delete", talked, "--yes").stdout == "1 thread deleted\n"
    assert listed(run) == []
    assert SECRET not in everything(tmp_path)


def everything(folder):
    """Return all that the databases hold, what was deleted and is still in their files included."""
    for path in (folder / ".selfhelp").rglob("*.sqlite"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return "".join(path.read_bytes().decode("latin-1") for path in (folder / ".selfhelp").rglob("*") if path.is_file())


def test_what_runs_is_not_deleted(run, tmp_path):
    of_service(tmp_path)
    under_way(tmp_path, "b0b")
    refused = run("threads", "delete", "b0b", "--yes")
    assert (refused.returncode, "under way in b0b" in refused.stderr) == (1, True)
    assert run("threads", "prune", "--older", "1m", "--json").stdout.strip() == "[]"


def test_what_nobody_uses_is_pruned(run, talked, tmp_path):
    of_service(tmp_path, "old", updated=time.time() - 91 * 86400)
    of_service(tmp_path, "new", updated=time.time() - 89 * 86400)
    assert run("threads", "prune", "--older", "90d", "--dry-run").stdout == "1 thread would be deleted\n"
    assert {each["id"] for each in listed(run)} == {talked, "old", "new"}
    assert json.loads(run("threads", "prune", "--json", SELFHELP_RETENTION__THREADS_DAYS="90").stdout) == ["old"]
    assert {each["id"] for each in listed(run)} == {talked, "new"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "nope"], 1, "there is no thread nope"),
        (["delete", "nope", "--yes"], 1, "there is no thread nope"),
        (["prune"], 2, "say how old"),
        (["prune", "--older", "soon"], 2, "--older soon is no span of time"),
    ],
)
def test_mistakes_are_said(run, arguments, code, said):
    refused = run("threads", *arguments)
    assert (refused.returncode, said in refused.stderr) == (code, True)


def test_all_threads_are_exported_those_of_the_command_line_too(run, talked, tmp_path):
    of_service(tmp_path)
    exported = [json.loads(line) for line in run("threads", "export-all").stdout.splitlines()]
    assert [(thread["id"], thread["owner"]) for thread in exported] == [("b0b", "bob"), (talked, None)]
    assert [message["role"] for message in exported[1]["messages"]] == ["user", "assistant"]
    assert run("threads", "export-all", "--since", "2100-01-01").stdout == ""
