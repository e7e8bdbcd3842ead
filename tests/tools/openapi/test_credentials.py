"""Credentials and servers: what is sent where, and what is never seen."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import Any

import pytest
from langchain_core.tools import ToolException
from pydantic import ValidationError

from tests.tools.openapi.conftest import Answer
from tools.openapi import ApiFailed, ApiSettings, CallFailed, load_api
from tools.openapi.connections import is_public

GET = "paths: {/it: {get: {operationId: getIt}}}"
SECRET = "s3cret/to ken+"  # with what is written otherwise in an address


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("TOKEN", SECRET)
    monkeypatch.setenv("USER_NAME", "ann")


BASIC = f"Basic {base64.b64encode(f'ann:{SECRET}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("auth", "header", "sent"),
    [
        ({"header": "X-Api-Key", "env": "TOKEN"}, "x-api-key", SECRET),
        ({"header": "Authorization", "env": "TOKEN", "prefix": "Token "}, "authorization", f"Token {SECRET}"),
        ({"bearer_env": "TOKEN"}, "authorization", f"Bearer {SECRET}"),
        ({"user_env": "USER_NAME", "password_env": "TOKEN"}, "authorization", BASIC),
    ],
)
async def test_credentials_are_sent_in_headers(load, server, auth, header, sent):
    [tool] = (await load(GET, auth=auth)).tools
    await tool.ainvoke({})
    assert server.last.headers[header] == sent


async def test_a_credential_can_be_a_query_parameter(load, server):
    paths = "paths: {/it: {get: {parameters: [{name: key, in: query, required: true}, {name: q, in: query}]}}}"
    [tool] = (await load(paths, auth={"query": "key", "env": "TOKEN"})).tools
    assert list(tool.args_schema["properties"]) == ["q"]
    await tool.ainvoke({"q": "x"})
    assert server.last.query == [("q", "x"), ("key", SECRET)]
    assert tool.metadata["preview"]({"q": "x"}).endswith("/it?q=x&key=***")


SECURITY = """
components:
  securitySchemes: {user: {type: http, scheme: bearer}, app: {type: apiKey, in: header, name: X-App}}
security: [{user: []}]
paths:
  /default: {get: {operationId: default}}
  /public: {get: {operationId: public, security: []}}
  /app: {get: {operationId: app, security: [{app: []}]}}
  /either: {get: {operationId: either, security: [{app: []}, {user: []}]}}
  /both: {get: {operationId: both, security: [{app: [], user: []}]}}
  /maybe: {get: {operationId: maybe, security: [{}, {user: []}]}}
"""


async def test_each_operation_gets_the_credentials_that_it_needs(load, server, monkeypatch):
    api = await load(SECURITY, auth={"user": {"bearer_env": "TOKEN"}})
    assert {skipped.operation: skipped.reason for skipped in api.skipped} == {
        "GET /app": "it needs the credential app: set auth.app",
        "GET /both": "it needs the credential app with user: set auth.app",
    }
    with_one = {}
    for tool in api.tools:
        await tool.ainvoke({})
        with_one[tool.name] = "authorization" in server.last.headers
    assert with_one == {"default": True, "public": False, "either": True, "maybe": True}
    monkeypatch.setenv("APP", "app-secret")
    both = {"user": {"bearer_env": "TOKEN"}, "app": {"header": "X-App", "env": "APP"}}
    tools = {tool.name: tool for tool in (await load(SECURITY, auth=both)).tools}
    await tools["both"].ainvoke({})
    assert (server.last.headers["authorization"], server.last.headers["x-app"]) == (f"Bearer {SECRET}", "app-secret")


@pytest.mark.parametrize("value", [None, "", "line\nbreak", "naïve"])
async def test_a_credential_that_cannot_be_sent_is_named_but_not_shown(load, server, monkeypatch, value):
    [tool] = (await load(GET, auth={"bearer_env": "TOKEN"})).tools
    monkeypatch.delenv("TOKEN")
    if value is not None:
        monkeypatch.setenv("TOKEN", value)
    with pytest.raises(ToolException, match="environment variable TOKEN") as failed:
        await tool.ainvoke({})
    assert not value or value not in str(failed.value)
    assert server.requests == []


@pytest.mark.parametrize("auth", [{"bearer_env": "TOKEN"}, {"query": "key", "env": "TOKEN"}])
async def test_secrets_are_nowhere_to_be_seen(load, server, caplog, auth):
    caplog.set_level(logging.DEBUG)
    forms = (SECRET, "s3cret%2Fto%20ken%2B", "s3cret%2Fto+ken%2B", "s3cret/to%20ken%2B")

    def unseen(what: Any) -> None:
        assert not [form for form in forms if form in what]

    def echo(request):
        said = {"you sent": [request.headers.get("authorization", ""), request.target, SECRET], SECRET: 1}
        return Answer(status, said)

    server.answers["/it"] = echo
    [tool] = (await load(GET, auth=auth)).tools
    status = 200
    unseen(repr(await tool.ainvoke({})))
    status = 500
    with pytest.raises(CallFailed) as failed:
        await tool.ainvoke({})
    unseen(str(failed.value) + repr(failed.value.__dict__) + repr(failed.value.__cause__))
    server.answers["/it"] = Answer(302, b"", {"location": "http://elsewhere.example/"})
    with pytest.raises(ToolException) as refused:
        await tool.ainvoke({})
    unseen(str(refused.value))
    unseen(repr(tool) + repr(tool.metadata) + tool.metadata["preview"]({}) + str(tool.args_schema))
    assert caplog.text
    unseen(caplog.text)


def test_settings_do_not_show_what_stands_in_the_wrong_place():
    with pytest.raises(ValidationError) as wrong:
        ApiSettings(name="x", spec="x", auth={"bearer_env": "sk-live secret"})
    assert "sk-live" not in str(wrong.value)
    assert "auth" in str(wrong.value)


async def test_a_document_on_loopback_needs_nothing_more(server):
    document = {"openapi": "3.1.0", "paths": {"/it": {"get": {"operationId": "getIt"}}}}
    server.answers["/openapi.json"] = Answer(body=document)
    api = await load_api(ApiSettings(name="shop", spec=f"{server.url}/openapi.json"))
    assert await api.tools[0].ainvoke({}) == {}
    assert server.last.path == "/it"
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("servers", "settings", "base"),
    [
        ("servers: [{url: 'URL/v1'}]", {}, "/v1/it"),
        ("servers: [{url: '{scheme}://127.0.0.1:PORT/{v}', variables: {scheme: {default: http}, v: {default: v2}}}]", {}, "/v2/it"),
        ("servers: [{url: 'URL/{v}', variables: {v: {default: v2}}}]", {"server_variables": {"v": "v3"}}, "/v3/it"),
        ("servers: [{url: 'https://api.example.com/v1'}]", {"base_url": "URL/mine/"}, "/mine/it"),
        ("servers: [{url: /relative}]", {"spec": "URL/docs/openapi.json"}, "/relative/it"),
        ("servers: [{url: ./beside}]", {"spec": "URL/docs/openapi.json"}, "/docs/beside/it"),
    ],
)  # fmt: skip
async def test_the_server_is_the_documents_or_the_settings(load, server, servers, settings, base):
    port = server.url.rpartition(":")[2]
    text = f"{servers}\n{GET}".replace("URL", server.url).replace("PORT", port)
    settings = {
        key: value.replace("URL", server.url) if isinstance(value, str) else value for key, value in settings.items()
    }
    server.answers["/docs/openapi.json"] = Answer(body=f"openapi: 3.1.0\n{text}".encode())
    if "127.0.0.1" in servers or "URL" in servers:
        settings = {"hosts": [server.url], **settings}
    [tool] = (await load(text, **settings)).tools
    await tool.ainvoke({})
    assert server.last.path == base


async def test_a_document_cannot_send_credentials_to_another_server(load, server):
    server.answers["/openapi.json"] = Answer(
        body={"openapi": "3.0.0", "servers": [{"url": "https://evil.example"}], "paths": {}}
    )
    with pytest.raises(ApiFailed, match=r"another server\. If that is right, set base_url"):
        await load_api(ApiSettings(name="x", spec=f"{server.url}/openapi.json"))
    api = await load(
        f"servers: [{{url: '{server.url}'}}]\npaths: {{/a: {{get: {{servers: [{{url: 'https://evil.example'}}]}}}}}}"
    )
    assert [skipped.reason for skipped in api.skipped] == [
        "it is called at https://evil.example, another server: add it to hosts"
    ]


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ("", "names no server: set base_url"),
        ("servers: [{url: /v1}]", "names no server: set base_url"),
        ("servers: [{url: 'https://{region}.example.com'}]", "variable 'region': set it in server_variables"),
        ("servers: [{url: 'https://'}]", "has no host"),
    ],
)
async def test_a_document_without_a_usable_server_says_what_to_set(tmp_path, servers, message):
    file = tmp_path / "api.yaml"
    file.write_text(f"openapi: 3.1.0\n{servers}\n{GET}")
    with pytest.raises(ApiFailed, match=message):
        await load_api(ApiSettings(name="x", spec=str(file)))


async def test_half_a_character_in_a_server_is_said(tmp_path):
    file = tmp_path / "api.json"
    file.write_text(r'{"openapi": "3.1.0", "servers": [{"url": "https://a.example/\ud800"}], "paths": {}}')
    with pytest.raises(ApiFailed, match=r"the server address .+ is wrong"):
        await load_api(ApiSettings(name="x", spec=str(file)))


async def test_a_name_must_not_lead_to_a_private_address(load, server):
    port = server.url.rpartition(":")[2]
    servers = f"servers: [{{url: 'http://localhost:{port}'}}]\n"  # a name in the document, not in the settings
    [tool] = (await load(servers + GET)).tools
    with pytest.raises(ToolException, match=r"localhost has the private address (127.0.0.1|::1): set allow_private"):
        await tool.ainvoke({})
    assert server.requests == []
    [tool] = (await load(servers + GET, allow_private=True)).tools
    assert await tool.ainvoke({}) == {}
    assert server.last.headers["host"] == f"localhost:{port}"
    [tool] = (await load(GET, base_url=f"http://localhost:{port}")).tools
    assert await tool.ainvoke({}) == {}


async def test_the_cloud_metadata_address_of_a_document_is_refused(load):
    [tool] = (await load("servers: [{url: 'http://169.254.169.254/latest'}]\n" + GET)).tools
    with pytest.raises(ToolException, match=r"private address 169\.254\.169\.254"):
        await tool.ainvoke({})


async def test_a_name_beyond_ascii_is_looked_up_as_the_request_names_it(load, server, monkeypatch):
    loop = asyncio.get_running_loop()
    port = int(server.url.rpartition(":")[2])
    lookups = []

    async def name_server(host, port, **_):
        lookups.append(host)
        return [(None, None, 0, "", ("127.0.0.1", port))]

    [tool] = (await load(GET, base_url=f"http://straße.example:{port}", allow_private=True)).tools
    monkeypatch.setattr(loop, "getaddrinfo", name_server)
    assert await tool.ainvoke({}) == {}
    assert server.last.headers["host"] == f"{lookups[0]}:{port}" == f"xn--strae-oqa.example:{port}"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1",
     "2002:7f00:1::", "64:ff9b::7f00:1", "100.64.0.1", "224.0.0.1", "ff02::1", "192.168.0.1",
     "fec0::1", "64:ff9b:1::7f00:1", "::7f00:1"],
)  # fmt: skip
def test_private_addresses_are_known(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_known(address):
    assert is_public(address)


async def test_a_name_is_looked_up_once_and_that_address_is_asked(load, server, monkeypatch):
    loop = asyncio.get_running_loop()
    port = int(server.url.rpartition(":")[2])
    lookups = []

    async def name_server(host, port, **_):
        """A name server that changes its mind between the check and the connection."""
        lookups.append(host)
        return [(None, None, 0, "", ("127.0.0.1" if len(lookups) == 1 else "127.0.0.99", port))]

    [tool] = (await load(GET, base_url=f"http://shop.example:{port}", allow_private=True)).tools
    monkeypatch.setattr(loop, "getaddrinfo", name_server)
    assert await tool.ainvoke({}) == {}
    assert lookups == ["shop.example"]
    assert server.last.headers["host"] == f"shop.example:{port}"
