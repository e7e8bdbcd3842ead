"""What Prometheus reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import httpx2
from prometheus_client.parser import text_string_to_metric_families as families

from service.http.app import create_app
from service.records.database import open_database
from service.records.keys import Keys, NewKey
from tests.support.model_server import Reply
from tests.support.processes import SELFHELP, free_port, wait_until


def read(client):
    """Return figures by name and labels."""
    text = client.get("/metrics").raise_for_status().text
    samples = [sample for family in families(text) for sample in family.samples]
    return {(each.name.removeprefix("selfhelp_"), *each.labels.values()): each.value for each in samples}


def test_requests_runs_steps_and_tokens_are_counted(client, talk, model):
    before = read(client)
    model.will(Reply(calls=[("calculator", {"expression": "6*7"})]), "42.")
    talk.ask("How much is six times seven, secretly?")
    after = read(client)
    grown = {name for name, value in after.items() if value > before.get(name, 0)}
    assert grown >= {
        ("requests_total", "POST", "/api/threads/{thread_id}/runs", "202"),
        ("request_seconds_count", "GET", "/api/runs/{run_id}/join"),
        ("runs_total", "finished"),
        ("run_seconds_count",),
        ("first_token_seconds_count",),
        ("steps_total", "finished", "calculator"),
        ("step_seconds_count", "calculator"),
        ("tokens_total", "output", "compatible:test"),
        ("process_cpu_seconds_total",),
    }
    calls = ("model_calls_total", "compatible:test")
    assert (after[calls] - before.get(calls, 0), after[("runs_under_way",)]) == (2, 0)


def test_what_is_read_names_nobody_and_nothing(client, talk, model):
    model.will("Fine.")
    talk.ask("How is Xanthippe?")
    client.get(f"/api/threads/{talk.thread}?query=Xanthippe")
    client.get("/nowhere/Xanthippe")
    client.request("XANTHIPPE", "/")
    text = client.get("/metrics").text
    assert talk.thread not in text
    assert "xanthippe" not in text.lower()
    assert 'path="other",status="404"' in text


def test_processes_of_one_service_count_together(tmp_path, shared_model):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "SELFHELP_MODEL": "compatible:test",
        "SELFHELP_BASE_URL": shared_model.url,
    }
    command = [SELFHELP, "serve", "--port", str(port), "--workers", "2"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log) as service,
    ):
        try:
            wait_until(lambda: answers(url))
            path = ("requests_total", "GET", "/api/me", "200")
            for _ in range(20):  # of a connection each, so that both processes have some
                httpx.get(f"{url}/api/me", trust_env=False).raise_for_status()
            with httpx.Client(base_url=url, trust_env=False) as client:
                assert read(client)[path] == 20
        finally:
            service.terminate()


def answers(url):
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.HTTPError:
        return False


async def test_with_keys_it_takes_an_admin_s(settings):
    async with open_database(settings) as database:
        keys = {admin: (await Keys(database).create(NewKey("ann", admin=admin)))[1] for admin in (False, True)}
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        for headers, status in (({}, 401), (bearer(keys[False]), 403), (bearer(keys[True]), 200)):
            assert (await client.get("/metrics", headers=headers)).status_code == status


def bearer(key):
    return {"Authorization": f"Bearer {key}"}
