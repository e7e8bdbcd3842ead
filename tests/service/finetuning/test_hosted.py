"""Hosted jobs, against a scripted server that speaks OpenAI's protocol for files and jobs."""

from __future__ import annotations

import json
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from agent.errors import SettingsError
from service.commands.finetuning import app
from service.finetuning.hosted import HostedClosed, HostedRefused, Order, status, submit
from tests.service.finetuning.test_validation import WORDS, example, written

TODAY = date(2026, 11, 26)
MODEL = "gpt-4.1-mini-2025-04-14"
JOB = {
    "id": "ftjob-1", "object": "fine_tuning.job", "created_at": 1, "status": "queued", "model": MODEL, "error": None,
    "fine_tuned_model": None, "finished_at": None, "hyperparameters": {}, "organization_id": "org", "result_files": [],
    "seed": 1, "trained_tokens": None, "training_file": "file-1", "validation_file": None,
}  # fmt: skip


class OpenAI:
    """The server: what it was asked, and what it answers instead of a job, if anything."""

    def __init__(self):
        self.asked, self.job, self.refusal = [], dict(JOB), None

    def answer(self, method, path, body):
        self.asked.append((method, path.partition("?")[0], body))
        if self.refusal:
            return self.refusal
        if path.endswith("/files"):
            number = sum(asked.endswith("/files") for _, asked, _ in self.asked)
            return 200, {
                "id": f"file-{number}",
                "object": "file",
                "bytes": 1,
                "created_at": 1,
                "filename": "f",
                "purpose": "fine-tune",
                "status": "processed",
            }
        if "/events" in path:
            event = {
                "id": "e",
                "object": "fine_tuning.job.event",
                "created_at": 1764150000,
                "level": "info",
                "message": "Step 1/9",
            }
            return 200, {"object": "list", "data": [event], "has_more": False}
        return 200, self.job


@pytest.fixture
def openai():
    answers = OpenAI()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            code, answer = answers.answer(self.command, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_any  # noqa: N815 - its names

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answers.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield answers
        server.shutdown()


@pytest.fixture
def settings(settings, openai):
    return settings.model_copy(update={"openai_api_key": SecretStr("sk-test"), "openai_base_url": openai.url})


@pytest.fixture
def file(tmp_path):
    written(tmp_path / "held-out.jsonl", [example("kettle")])
    return written(tmp_path / "train.jsonl", [example(word) for word in WORDS])


async def test_a_valid_file_is_uploaded_and_a_job_started(settings, openai, file):
    job = await submit(settings, Order(file, MODEL, file.with_name("held-out.jsonl"), epochs=2, suffix="shop"), TODAY)
    assert (job.id, job.status, job.model) == ("ftjob-1", "queued", MODEL)
    (_, first, upload), (_, _, held_out), (method, path, body) = openai.asked
    assert first == "/v1/files"
    assert file.read_bytes() in upload
    assert b"kettle" in held_out
    assert (method, path) == ("POST", "/v1/fine_tuning/jobs")
    assert json.loads(body) == {
        "model": MODEL,
        "training_file": "file-1",
        "validation_file": "file-2",
        "suffix": "shop",
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
    }


async def test_nothing_is_sent_after_the_end_nor_what_cannot_be_trained(settings, openai, file):
    with pytest.raises(HostedClosed, match=r"nothing was sent: .* closes for everyone on 2027-01-06"):
        await submit(settings, Order(file, MODEL), date(2027, 1, 6))
    with pytest.raises(SettingsError, match=r"gpt-4\.1 family only"):
        await submit(settings, Order(file, "gpt-6-luna"), TODAY)
    written(file, [example()])
    with pytest.raises(SettingsError, match="has 1 problems, and was not sent"):
        await submit(settings, Order(file, MODEL), TODAY)
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        await status(settings.model_copy(update={"openai_api_key": None}), "ftjob-1")
    assert openai.asked == []


async def test_a_job_is_followed(settings, openai):
    openai.job |= {"status": "succeeded", "fine_tuned_model": f"ft:{MODEL}:org::1", "trained_tokens": 99}
    job = await status(settings, "ftjob-1")
    assert (job.status, job.trained, job.tokens) == ("succeeded", f"ft:{MODEL}:org::1", 99)
    assert job.events == ("2025-11-26 09:40 Step 1/9",)


async def test_an_organisation_that_is_barred_is_told_why_and_what_else_there_is(settings, openai, file):
    openai.refusal = 403, {"error": {"message": "Fine-tuning is not available.", "type": "invalid_request_error"}}
    with pytest.raises(HostedRefused, match=r"\(403\).*not available.*barred already.*selfhelp finetune train"):
        await submit(settings, Order(file, MODEL), TODAY)


def test_the_commands_say_when_hosted_jobs_end(openai, file, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", openai.url)
    for command in ("submit", "status"):
        assert "2027-01-06" in CliRunner().invoke(app, [command, "--help"]).output
    openai.job["status"] = "failed"
    openai.job["error"] = {"code": "x", "message": "The file is empty.", "param": None}
    done = CliRunner().invoke(app, ["status", "ftjob-1"])
    assert done.exit_code == 1
    assert "error  The file is empty." in done.output
    assert "closes for everyone on 2027-01-06" in done.output
    assert json.loads(CliRunner().invoke(app, ["status", "ftjob-1", "--json"]).output)["id"] == "ftjob-1"
