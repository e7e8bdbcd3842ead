"""A disk that is full, or a database that goes away, in the middle of a run."""

from __future__ import annotations

import subprocess
import threading
from contextlib import suppress

import pytest

from tests.support.model_server import Reply
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
        talk = Talk(client)
        model.will("Hello.")
        talk.ask("Hi.")
        held = threading.Event()
        model.will(Reply(text="Never told.", gate=held))
        run = talk.start("Go.")
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


def fill(disk):
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
