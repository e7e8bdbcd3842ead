"""Documents on the command line: indexed, searched, shown, removed, and watched."""

from __future__ import annotations

import json
import signal
import subprocess
import zipfile

import pytest

from tests.support.documents import write
from tests.support.model_server import Reply
from tests.support.processes import SELFHELP


@pytest.fixture
def docs(tmp_path):
    return write(
        tmp_path / "docs",
        {
            "returns.md": "# Returns\n\nGeneral.\n\n## Time\n\nYou can return an item within 30 days.\n\n## Fee\n\n4.90 EUR.\n",
            "hours.txt": "Opening hours\n\nThe shop opens at nine on weekdays.\n",
        },
    )


def test_sources_of_several_kinds_are_read_in_one_go(run, docs, tmp_path):
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("terms.html", "<h1>Terms</h1><p>Utrecht is the place of jurisdiction.</p>")
    (tmp_path / "prices.csv").write_text("item,price\ntent,99\n")
    done = run("index", "docs", "more.zip", "*.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["added"] for line in done.stdout.splitlines()] == [
        ["hours.txt", "returns.md"],
        ["terms.html"],
        ["prices.csv"],
    ]
    listed = [json.loads(line) for line in run("sources", "list", "--json").stdout.splitlines()]
    assert [(source["source"], source["documents"]) for source in listed] == [
        (str(tmp_path / "*.csv"), 1),
        (str(docs), 2),
        (str(tmp_path / "more.zip"), 1),
    ]


def test_sources_of_the_settings_are_read_when_none_is_named(run, docs, tmp_path):
    (tmp_path / "selfhelp.toml").write_text('[knowledge]\nsources = ["docs", {at = "gone", collection = "staff"}]\n')
    done = run("index")
    assert done.returncode == 1
    assert "docs: 2 added" in done.stdout
    assert "gone" in done.stdout
    assert "selfhelp index" not in done.stderr


def test_search_explains_its_scores(run, docs):
    run("index", "docs")
    done = run("search", "return an item", "--explain")
    assert "Returns › Time  returns.md, lines 5–7  1.00" in done.stdout
    assert "1.000 = 0.000 by meaning (not among the nearest) + 1.000 by words (BM25" in done.stdout
    found = [json.loads(line) for line in run("search", "shop", "--kind", "text", "--json").stdout.splitlines()]
    assert [hit["passage"]["document"] for hit in found] == ["hours.txt"]
    nothing = run("search", "shop", "--until", "2001-01-01")
    assert (nothing.returncode, nothing.stdout) == (1, "nothing found\n")


def test_a_cited_passage_is_shown_in_its_context(run, docs, model_server):
    run("index", "docs")
    model_server.will(Reply(calls=[("search", {"query": "return an item"})]), "Within 30 days [1].")
    run("ask", "How long can I return?")
    done = run("sources", "show", "1")
    assert done.returncode == 0, done.stderr
    for text in ("[1] Returns › Time", "General.", "within 30 days.", "4.90 EUR.", "returns.md, lines 5–7"):
        assert text in done.stdout
    shown = json.loads(run("sources", "show", "1", "--json").stdout)
    assert shown["text"] == "## Time\n\nYou can return an item within 30 days."
    assert len(shown["context"]) == 3


def test_a_cited_passage_that_is_no_more_is_shown_as_it_was_quoted(run, docs, model_server):
    run("index", "docs")
    model_server.will(Reply(calls=[("search", {"query": "return an item"})]), "Within 30 days [1].")
    run("ask", "How long can I return?")
    (docs / "returns.md").unlink()
    run("index", "docs")
    done = run("sources", "show", "1")
    assert "The document has changed since" in done.stdout
    assert "within 30 days" in done.stdout


@pytest.mark.parametrize("arguments", [["show", "7"], ["show", "1", "--thread", "nobody"], ["remove", "nothing"]])
def test_a_source_that_is_not_there_is_said(run, docs, arguments):
    done = run("sources", *arguments)
    assert done.returncode == 1
    assert arguments[-1] in done.stderr
    assert "Traceback" not in done.stderr


def test_another_embedder_is_set_without_the_documents(run, docs):
    run("index", "docs")
    (docs / "hours.txt").unlink()
    minilm = {"SELFHELP_KNOWLEDGE__EMBEDDER": "minilm"}
    refused = run("search", "shop", **minilm)
    assert "the embedder none, and minilm-l6-v2-int8 (vectors of 384) is set now" in refused.stderr
    assert "selfhelp index --rebuild" in refused.stderr
    assert run("index", "--rebuild", **minilm).stdout == "4 passages rebuilt\n"
    assert "The shop opens at nine" in run("search", "shop", **minilm).stdout


def test_of_many_files_that_are_no_documents_some_are_told(run, docs):
    for number in range(30):
        (docs / f"photo{number:02}.jpg").touch()
    done = run("index", "docs")
    assert "skipped photo09.jpg: not a kind of document that is read" in done.stdout
    assert "skipped 20 more: --json tells which" in done.stdout
    assert "photo29.jpg" not in done.stdout
    assert len(json.loads(run("index", "docs", "--json").stdout)["skipped"]) == 30


@pytest.mark.parametrize("command", [["index"], ["sources", "remove"], ["search", "shop", "--source"]])
def test_an_empty_name_is_not_the_folder_that_one_is_in(run, docs, command):
    run("index", ".")
    done = run(*command, "")
    assert done.returncode == 1
    assert "empty" in done.stderr
    assert run("search", "shop").returncode == 0


@pytest.mark.parametrize("named", ["{docs}", "docs", "./docs/"])
def test_a_removed_source_is_found_no_more(run, docs, named):
    run("index", "docs")
    assert run("sources", "remove", named.format(docs=docs)).stdout == "2 removed\n"
    assert run("search", "shop").returncode == 1


def test_a_search_goes_by_sources_and_formats_as_people_name_them(run, docs):
    run("index", "docs")
    for wanted in (["--source", "docs"], ["--source", str(docs)], ["--kind", "md"], ["--kind", "markdown"]):
        assert "Returns › Time" in run("search", "return an item", *wanted).stdout


def test_a_search_that_finds_nothing_says_why(run, docs):
    assert run("search", "return").stdout == "nothing is indexed yet: selfhelp index FOLDER\n"
    run("index", "docs")
    assert "there is default" in run("search", "return", "--collection", "staff").stdout
    assert "nothing is indexed of such a source" in run("search", "return", "--source", "elsewhere").stdout
    assert run("search", "xylophone").stdout == "nothing found\n"
    for wanted in (["return", "--kind", "nonsense"], [" "]):
        assert run("search", *wanted).returncode == 2


def test_before_there_is_a_thread_nothing_was_cited(run):
    assert "there is no thread yet" in run("sources", "show", "1").stderr


def test_an_empty_source_is_removed_only_when_that_is_asked_for(run, docs):
    run("index", "docs")
    docs.rename(docs.with_name("elsewhere"))
    assert run("index", "docs").returncode == 1
    assert run("search", "shop").returncode == 0
    assert run("index", "docs", "--prune").stdout == "2 removed\n"
    assert run("search", "shop").returncode == 1


def test_watch_goes_on_with_what_changes_and_ends_with_ctrl_c(environment, docs, tmp_path):
    command = [SELFHELP, "index", "docs", "--watch", "--json"]
    watching = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert len(json.loads(watching.stdout.readline())["added"]) == 2
        write(docs, {"new.md": "# New\n\nSomething new."})
        assert json.loads(watching.stdout.readline())["added"] == ["new.md"]
        (docs / "hours.txt").unlink()
        assert json.loads(watching.stdout.readline())["removed"] == ["hours.txt"]
        for path in docs.iterdir():
            path.unlink()
        while "holds no document" not in (line := watching.stdout.readline()):
            assert line
        write(docs, {"first.md": "# First\n\nAfter all others."})
        while not (added := json.loads(watching.stdout.readline())["added"]):
            continue
        assert added == ["first.md"]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(100) == 130
        assert "Traceback" not in watching.stderr.read()
    finally:
        watching.kill()
        watching.communicate()


def test_other_commands_work_beside_a_watch(environment, run, docs, tmp_path):
    command = [SELFHELP, "index", "docs", "--watch", "--json"]
    watching = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        watching.stdout.readline()
        assert run("search", "shop").returncode == 0
        assert run("sources", "remove", "docs").stdout == "2 removed\n"
        write(docs, {"new.md": "# New\n\nSomething new."})
        assert len(json.loads(watching.stdout.readline())["added"]) == 3
        assert run("search", "new").returncode == 0
    finally:
        watching.kill()
        watching.communicate()
