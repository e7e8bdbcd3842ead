"""Keys, from the command that makes them to the request that they let in; and who is let in while there are none."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import httpx2
import pytest
from sqlalchemy import update

from agent.errors import SettingsError
from agent.settings import Settings
from service.http.app import create_app
from service.keys import end_of
from service.records import tables
from service.records.database import open_database
from service.records.keys import Keys, NewKey


@pytest.fixture
def settings(tmp_path):
    return Settings(model="compatible:none", data_dir=tmp_path / ".selfhelp")


@asynccontextmanager
async def client_of(settings, peer="127.0.0.1", host="127.0.0.1", **options):
    """A client at a peer's address, of an app in this process."""
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app, client=(peer, 5000))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=f"http://{host}:8000", **options) as client,
    ):
        yield client


async def status(client, **headers):
    return (await client.get("/v1/models", headers=headers)).status_code


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_is_shown_once_and_kept_as_a_hash(run, settings, tmp_path):
    made = run("keys", "create", "--owner", "ann", "--name", "laptop", "--expires", "90d")
    assert made.returncode == 0, made.stderr
    key = made.stdout.split()[0]
    prefix, key_id, secret = key.split("_", 2)
    assert prefix == "shk"
    assert len(secret) >= 43
    listed = run("keys", "list", "--json", FORCE_COLOR="1")
    (shown,) = json.loads(listed.stdout)
    assert (shown["id"], shown["owner"], shown["name"], shown["admin"]) == (key_id, "ann", "laptop", False)
    assert 89 < (shown["expires"] - time.time()) / 86400 <= 90
    kept = b"".join(path.read_bytes() for path in settings.data_dir.glob("service.sqlite*"))
    assert key_id.encode() in kept
    assert secret.encode() not in kept
    assert secret not in listed.stdout
    async with client_of(settings, "203.0.113.7") as client:
        assert await status(client, **bearer(key)) == 200
        assert await status(client, **{"X-Api-Key": key}) == 200
        for wrong in (key[:-1], f"{key}A", f"shk_{key_id}_", f"shk_{secret}", "shk_", "sk-other"):
            assert await status(client, **bearer(wrong)) == 401
        refused = await client.get("/v1/models")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["error"]["type"] == "authentication_error"


async def test_a_key_ends_when_it_expires_or_is_revoked(run, settings, monkeypatch):
    async with open_database(settings) as database:
        keys = Keys(database)
        _, expired = await keys.create(NewKey("ann", expires=time.time() - 1))
        revoked, text = await keys.create(NewKey("ann"))
    monkeypatch.setattr("service.records.keys.REVOKED_WITHIN", 0.0)
    async with client_of(settings) as client:
        assert await status(client, **bearer(expired)) == 401
        assert await status(client, **bearer(text)) == 200
        # In a thread: the service in this process may be in the middle of a transaction, which it must be able to end.
        assert (await asyncio.to_thread(run, "keys", "revoke", revoked.id)).returncode == 0
        assert await status(client, **bearer(text)) == 401
        assert await status(client) == 401, "taking the last key away lets nobody in"
    again = run("keys", "revoke", revoked.id)
    assert again.returncode == 2
    assert "selfhelp keys list" in again.stderr


async def test_a_key_that_was_checked_is_remembered_for_a_while(settings, monkeypatch):
    monkeypatch.setattr("service.records.keys.REVOKED_WITHIN", 600.0)
    async with open_database(settings) as database:
        keys = Keys(database)
        key, text = await keys.create(NewKey("ann"))
        assert await keys.find(text) is not None
        await Keys(database).revoke(key.id)
        assert await keys.find(text) is not None
        assert await Keys(database).find(text) is None


async def test_when_a_key_was_used_is_known_to_the_minute(settings):
    async with open_database(settings) as database:
        keys = Keys(database)
        key, text = await keys.create(NewKey("ann"))
        assert key.used is None
        before = time.time()
        await keys.find(text)
        (used,) = await keys.all()
        assert used.used >= before
        async with database.begin() as connection:
            await connection.execute(update(tables.keys).values(used=before))
        await Keys(database).find(text)
        (used,) = await keys.all()
        assert used.used == before


async def test_whoever_is_called_as_everybody_is_sees_nobody_s_usage(settings):
    async with open_database(settings) as database:
        _, star = await Keys(database).create(NewKey("*"))
        _, admin = await Keys(database).create(NewKey("root", admin=True))
    async with client_of(settings) as client:
        for key, expected in ((star, 403), (admin, 200)):
            answer = await client.get("/api/usage", params={"owner": "*"}, headers=bearer(key))
            assert answer.status_code == expected
        assert (await client.get("/api/usage", headers=bearer(star))).status_code == 200


def test_names_are_listed_as_they_were_given(run):
    assert run("keys", "create", "--owner", "[/x]", "--name", "[bold]laptop").returncode == 0
    listed = run("keys", "list")
    assert listed.returncode == 0, listed.stderr
    assert "[/x]" in listed.stdout
    assert "[bold]laptop" in listed.stdout


def test_a_key_s_budget_has_an_end(run):
    refused = run("keys", "create", "--owner", "ann", "--daily-cost", "inf")
    assert refused.returncode == 2
    assert "leave it out for no limit" in refused.stderr


@pytest.mark.parametrize("span", ["90", "d", "0d", "-1d", "90 days", "9999999d"])
def test_a_span_that_is_none_is_refused(span):
    with pytest.raises(SettingsError, match="90d"):
        end_of(span)


def test_without_a_key_the_service_listens_on_this_machine_only(run):
    refused = run("serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "selfhelp keys create" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_without_a_key_whoever_sits_at_this_machine_is_let_in(settings):
    for host in ("127.0.0.1", "localhost", "[::1]"):
        async with client_of(settings, host=host) as client:
            # Clients of OpenAI's send some key in any case.
            for headers in ({}, bearer("none"), {"Origin": f"http://{host}:8000"}, {"Sec-Fetch-Site": "same-origin"}):
                assert await status(client, **headers) == 200, (host, headers)


@pytest.mark.parametrize(
    ("peer", "host", "headers", "expected"),
    [
        ("203.0.113.7", "127.0.0.1", {}, 401),
        ("127.0.0.1", "192.0.2.1", {}, 401),
        ("127.0.0.1", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("127.0.0.1", "127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 401),
        ("127.0.0.1", "127.0.0.1", {"Host": "rebound.example:8000"}, 403),
        ("127.0.0.1", "127.0.0.1", {"Host": "127.0.0.1.rebound.example"}, 403),
        ("127.0.0.1", "127.0.0.1", {"Host": "localhost@rebound.example"}, 403),
        ("127.0.0.1", "127.0.0.1", {"Origin": "https://evil.example"}, 403),
        ("127.0.0.1", "127.0.0.1", {"Origin": "http://localhost:3000"}, 403),
        ("127.0.0.1", "127.0.0.1", {"Origin": "null"}, 403),
        ("127.0.0.1", "127.0.0.1", {"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_without_a_key_nobody_else_is(settings, peer, host, headers, expected):
    async with client_of(settings, peer, host) as client:
        for method, path in (("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("DELETE", "/api/threads/1")):
            answer = await client.request(method, path, headers=headers, json={})
            assert answer.status_code == expected
            assert answer.json()["error"]["code"] in {"no_key", "wrong_host", "wrong_origin"}


async def test_the_first_key_closes_the_door_at_once(settings):
    async with client_of(settings) as client, open_database(settings) as database:
        assert await status(client) == 200
        await Keys(database).create(NewKey("ann"))
        assert await status(client) == 401
