"""What every response says, and what no request may do."""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import asynccontextmanager

import httpx2
import pytest

from agent.settings import Settings
from service.http.admission import OPEN, OPEN_FOLDER
from service.http.app import create_app
from service.records.database import open_database
from service.records.keys import Keys, NewKey


@asynccontextmanager
async def serving(tmp_path, scheme="http", **given):
    settings = Settings(model="compatible:none", data_dir=tmp_path / "data", **given)
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=f"{scheme}://127.0.0.1:8000") as client,
    ):
        yield client


def directives(response):
    return dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))


async def test_browsers_are_kept_careful_whatever_the_answer_is(tmp_path):
    async with serving(tmp_path, allowed_hosts=["docs.example.com", "evil.example; script-src *"]) as client:
        for method, path in (("GET", "/v1/models"), ("GET", "/nowhere"), ("POST", "/v1/models"), ("GET", "/docs")):
            response = await client.request(method, path)
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["referrer-policy"] == "no-referrer"
            assert "camera=()" in response.headers["permissions-policy"]
            policy = directives(response)
            assert policy["default-src"] == "'self'"
            assert policy["object-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert "unsafe" not in policy["script-src"]
            assert "*" not in response.headers["content-security-policy"]
            assert "strict-transport-security" not in response.headers
        assert directives(await client.get("/nowhere"))["img-src"] == "'self' data: docs.example.com"


async def test_https_is_asked_to_stay(tmp_path):
    async with serving(tmp_path, "https") as client:
        assert "max-age=" in (await client.get("/v1/models")).headers["strict-transport-security"]


async def test_the_documentation_needs_no_network_and_runs_no_script_but_its_own(tmp_path):
    async with serving(tmp_path) as client:
        page = await client.get("/docs")
        assert page.status_code == 200
        loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
        assert len(loaded) == 3
        for address in loaded:
            assert "//" not in address
            assert (await client.get(f"/{address}")).status_code == 200
        (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert directives(page)["script-src"] == f"'self' 'sha256-{digest}'"
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "Selfhelp"


async def test_no_path_is_open_but_those_that_are_meant_to_be(tmp_path):
    async with open_database(Settings(data_dir=tmp_path / "data")) as database:
        await Keys(database).create(NewKey("ann"))
    async with serving(tmp_path) as client:
        document = (await client.get("/openapi.json")).json()
        paths = [*document["paths"], "/api/whatever", "/metrics", "/static/../api/threads", "/static"]
        for path in paths:
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                if method in {"GET", "HEAD"} and path in OPEN:
                    continue
                assert (await client.request(method, path)).status_code == 401, (method, path)
    assert OPEN_FOLDER == "/static/"
    assert all(not path.startswith(("/api", "/v1", "/metrics")) for path in OPEN)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
async def test_no_request_is_larger_than_it_may_be(tmp_path, kind):
    limits = {"body_bytes": 1000, "upload_bytes": 3000}
    most = 3000 if kind.startswith("multipart") else 1000

    async def pieces():
        for _ in range(most // 100 + 1):
            yield b"x" * 100

    async with serving(tmp_path, service=limits) as client:
        headers = {"Content-Type": kind}
        for body in (b"x" * (most + 1), pieces()):
            answer = await client.post("/v1/chat/completions", content=body, headers=headers)
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "too_large"
        assert (await client.post("/nowhere", content=b"x" * most, headers=headers)).status_code == 404


async def test_a_request_keeps_its_id_if_it_is_one(tmp_path):
    async with serving(tmp_path) as client:
        given = await client.get("/v1/models", headers={"X-Request-ID": "abc-1.2"})
        assert given.headers["x-request-id"] == "abc-1.2"
        made = [(await client.get("/v1/models")).headers["x-request-id"] for _ in range(2)]
        assert made[0] != made[1]
        forged = await client.get("/v1/models", headers={"X-Request-ID": "a b <script>"})
        assert re.fullmatch("[0-9a-f]{32}", forged.headers["x-request-id"])


async def test_pages_elsewhere_may_call_only_where_they_are_listed(tmp_path):
    page = "https://intranet.example.com"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with serving(tmp_path) as client:
        for response in (
            await client.options("/v1/models", headers={"Origin": page, **asked}),
            await client.get("/v1/models", headers={"Origin": page}),
        ):
            assert response.status_code != 200
            assert "access-control-allow-origin" not in response.headers
    async with serving(tmp_path, service={"origins": [page]}) as client:
        for response in (
            await client.options("/v1/models", headers={"Origin": page, **asked}),
            await client.get("/v1/models", headers={"Origin": page}),
        ):
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == page
        other = await client.get("/v1/models", headers={"Origin": "https://intranet.example.com.evil.example"})
        assert other.status_code == 403
        assert "access-control-allow-origin" not in other.headers
