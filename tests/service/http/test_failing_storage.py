"""A disk that is full, or a database that goes away, in the middle of a run."""

from __future__ import annotations

import subprocess
import threading
from contextlib import suppress

import psycopg
import pytest

from tests.support import embedding_server, postgres
from tests.support.model_server import Reply
from tests.support.processes import wait_until
from tests.support.service_process import running
from tests.support.talk import Talk, until

ANSWER = "Here it is, whole and once."


@pytest.fixture
def disk(tmp_path):
    """A file system of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_on_a_full_disk_a_run_ends_with_an_error_and_its_thread_goes_on_once_there_is_room(
    disk, tmp_path, new_service, model
):
    with running(new_service(tmp_path, SELFHELP_DATA_DIR=str(disk))) as service, service.client() as client:
        talk, run, held = held_up(client, model)
        with talk.following(run) as events:
            until(events, "token")
            fill(disk)
            held.set()
            error = until(events, "error")[-1]
        assert error.data["code"] == "unavailable"
        (disk / "ballast").unlink()
        model.repeat = lambda _: Reply(ANSWER)
        # Where its end could not be recorded, the run begins anew.
        service.make_silent(run)
        assert talk.join(run)["status"] in ("failed", "finished")
        assert talk.ask("And now?")["message"]["text"] == ANSWER
        assert talk.said()[:3] == ["Hi.", "Hello.", "Go."]


@pytest.mark.skipif(not postgres.is_installed(), reason="PostgreSQL is not installed")
def test_a_database_that_goes_away_is_said_and_used_again_when_it_is_back(new_service, model):
    with postgres.server() as database:
        service = new_service(SELFHELP_DATABASE_URL=database.url)
        with running(service), service.client() as client:
            talk, run, held = held_up(client, model)
            with talk.following(run) as events:
                until(events, "token")
                database.stop()
                held.set()
                error = until(events, "error")[-1]
            assert error.data["code"] == "unavailable"
            refused = client.get("/api/threads")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)
            database.start()
            model.repeat = lambda _: Reply(ANSWER)
            service.make_silent(run)
            assert talk.join(run)["status"] in ("failed", "finished")
            assert talk.ask("And now?")["message"]["text"] == ANSWER
            assert talk.said()[:3] == ["Hi.", "Hello.", "Go."]
    assert "postgresql://" not in service.log


@pytest.mark.skipif(not postgres.is_installed(), reason="PostgreSQL is not installed")
def test_a_run_whose_connection_breaks_off_goes_on_and_repeats_nothing(new_service, model):
    with postgres.server() as database, psycopg.connect(database.url, autocommit=True) as admin:
        service = new_service(SELFHELP_DATABASE_URL=database.url)
        with running(service), service.client() as client:
            talk, run, held = held_up(client, model)
            with talk.following(run) as events:
                until(events, "token")
                with psycopg.connect(database.url) as other:
                    other.execute("LOCK TABLE checkpoint_writes, checkpoints IN ACCESS EXCLUSIVE MODE")
                    held.set()
                    wait_until(lambda: broken_off(admin))
                    error = until(events, "error")[-1]
            assert error.data["code"] == "unavailable"
            model.will(ANSWER)
            service.make_silent(run)
            assert talk.join(run)["status"] == "finished"
            assert talk.said() == ["Hi.", "Hello.", "Go.", ANSWER]


@pytest.mark.skipif(not postgres.is_installed(), reason="PostgreSQL is not installed")
def test_a_document_that_was_being_indexed_when_the_database_went_away_is_indexed_when_it_is_back(new_service):
    with postgres.server() as database, embedding_server.serve() as embedding:
        service = new_service(
            SELFHELP_DATABASE_URL=database.url,
            SELFHELP_BASE_URL=embedding.url,
            SELFHELP_KNOWLEDGE__EMBEDDER="compatible:test",
        )
        with running(service), service.client() as client:
            [made] = client.post("/api/documents", files={"files": ("a.md", b"# A\n\nOtters.\n")}).json()["items"]
            path = f"/api/documents/{made['id']}"
            wait_until(lambda: client.get(path).json()["status"] == "indexing")
            database.stop()
            embedding.answer_all()
            wait_until(lambda: "documents cannot be indexed now" in service.log)
            database.start()
            wait_until(lambda: client.get(path).json()["status"] == "indexed")
            assert client.get(path).json()["passages"] == 1


def held_up(client, model):
    """Begin a thread's second turn, whose answer ends once the event is set."""
    talk, held = Talk(client), threading.Event()
    model.will("Hello.")
    talk.ask("Hi.")
    model.will(Reply(text="Never told.", gate=held))
    return talk, talk.start("Go."), held


def broken_off(admin):
    """Break off the connections that wait for a table, and return how many there were."""
    blocked = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return len(admin.execute(blocked).fetchall())


def fill(disk):
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
