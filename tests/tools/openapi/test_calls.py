"""What comes back from a call."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import ToolException

from agent.effects import idempotency_key
from agent.steps import is_transient, retry_after
from tests.tools.openapi.conftest import Answer
from tools.openapi import CallFailed, Unreachable

GET = "paths: {/it: {get: {operationId: getIt}}}"
POST = """
paths:
  /it:
    post:
      operationId: makeIt
      requestBody: {content: {application/json: {schema: {type: object, properties: {a: {}}}}}}
"""


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (Answer(body={"id": 1, "lines": [1.5, None, True]}), {"id": 1, "lines": [1.5, None, True]}),
        (Answer(body=[1, 2]), [1, 2]),
        (Answer(body="text"), "text"),
        (Answer(204), {"status": 204}),
        (Answer(202, b""), {"status": 202}),
        (Answer(body={"a": 1}, headers={"content-type": "application/hal+json; charset=utf-8"}), {"a": 1}),
        (Answer(body=b"a,b\n1,2", headers={"content-type": "text/csv"}), "a,b\n1,2"),
        (Answer(body="é".encode("latin-1"), headers={"content-type": "text/plain; charset=latin-1"}), "é"),
        *((Answer(body=b'{"a": 1}\n{"a": 2}\n', headers={"content-type": kind}), '{"a": 1}\n{"a": 2}\n') for kind in ("application/x-ndjson", "application/jsonl; charset=utf-8")),
        (Answer(body=b"\x89PNG", headers={"content-type": "image/png"}), {"status": 200, "content_type": "image/png", "bytes": 4}),
    ],
)  # fmt: skip
async def test_results_are_json_values(load, server, answer, value):
    server.answers["/it"] = answer
    [tool] = (await load(GET)).tools
    assert await tool.ainvoke({}) == value


async def test_a_head_request_gives_its_status(load, server):
    [tool] = (await load("paths: {/it: {head: {}}}")).tools
    assert tool.metadata["effect"] == "read"
    assert await tool.ainvoke({}) == {"status": 200}


HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(404, {"title": "No such order", "detail": "It was 7."}, {"content-type": "application/problem+json"}), "GET /it was answered 404 Not Found: No such order: It was 7."),
        (Answer(422, {"detail": [{"loc": ["query", "q"], "msg": "field required"}]}), "422 .*: query.q: field required"),
        (Answer(400, {"error": {"message": "Bad thing"}}), "400 Bad Request: Bad thing"),
        (Answer(500, b"Boom\nTraceback", {"content-type": "text/plain"}), "500 Internal Server Error: Boom$"),
        (Answer(502, b"<html><title>Bad &amp; gateway</title><h1>x", HTML), "502 Bad Gateway: Bad & gateway"),
        (Answer(401, b""), "401 Unauthorized$"),
        (Answer(200, b"<html><title>Log in</title>", HTML), "200 with an HTML page instead of JSON: Log in"),
        (Answer(200, b"{oops"), "200 with what says to be JSON and is not"),
        (Answer(200, b"[" * 100_000), "200 with what says to be JSON and is not"),
        (Answer(599, {"x": 1}), "599"),
    ],
)  # fmt: skip
async def test_errors_say_status_and_reason(load, server, answer, message):
    server.answers["/it"] = answer
    [tool] = (await load(GET)).tools
    with pytest.raises(CallFailed, match=message) as failed:
        await tool.ainvoke({})
    assert failed.value.response.status_code == answer.status


async def test_json_of_any_depth_is_a_result_or_an_error_of_the_call(load, server):
    [tool] = (await load(GET)).tools
    for depth in range(100, 1300, 100):
        server.answers["/it"] = Answer(200, b"[" * depth + b"]" * depth)
        with suppress(CallFailed):
            await tool.ainvoke({})


async def test_an_html_page_is_a_result_where_the_document_says_so(load, server):
    server.answers["/it"] = Answer(200, b"<p>hi", HTML)
    [tool] = (await load("paths: {/it: {get: {responses: {'200': {content: {text/html: {}}}}}}}")).tools
    assert await tool.ainvoke({}) == "<p>hi"


async def test_busy_servers_are_asked_again_by_those_who_retry(load, server):
    server.answers["/it"] = Answer(429, {"message": "Slow down"}, {"retry-after": "3"})
    [tool] = (await load(GET)).tools
    with pytest.raises(CallFailed) as failed:
        await tool.ainvoke({})
    assert is_transient(failed.value)
    assert retry_after(failed.value) == 3
    server.answers["/it"] = Answer(404)
    with pytest.raises(CallFailed) as failed:
        await tool.ainvoke({})
    assert not is_transient(failed.value)


async def test_a_server_that_is_not_there_cannot_have_got_the_request(load):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        [tool] = (await load(POST, base_url=f"http://127.0.0.1:{port}")).tools
        with pytest.raises(Unreachable, match="POST /it: the API cannot be reached") as failed:
            await tool.ainvoke({})
    assert is_transient(failed.value)
    assert not failed.value.may_have_arrived


async def test_a_server_that_does_not_answer_may_have_got_the_request(load, server):
    over = threading.Event()

    def wait(_):
        over.wait(20)
        return Answer()

    server.answers["/it"] = wait
    [tool] = (await load(POST, timeout=1)).tools
    try:
        with pytest.raises(Unreachable, match="no answer within 1 seconds") as failed:
            await tool.ainvoke({})
    finally:
        over.set()
    assert failed.value.may_have_arrived


async def test_a_huge_answer_is_refused(load, server):
    server.answers["/it"] = Answer(200, b'"' + b"x" * (5 * 2**20) + b'"')
    [tool] = (await load(GET)).tools
    with pytest.raises(CallFailed, match="more than 5 MB"):
        await tool.ainvoke({})


async def test_redirects_are_followed_on_the_same_server_and_for_reads_only(load, server):
    server.answers["/it"] = Answer(307, b"", {"location": "/there"})
    server.answers["/there"] = Answer(body={"here": True})
    [read] = (await load(GET)).tools
    assert await read.ainvoke({}) == {"here": True}
    [write] = (await load(POST)).tools
    with pytest.raises(CallFailed, match="307 which leads elsewhere"):
        await write.ainvoke({"a": 1})
    server.answers["/it"] = Answer(302, b"", {"location": f"http://localhost:{server.url.rpartition(':')[2]}/there"})
    with pytest.raises(ToolException, match="localhost is no configured server"):
        await read.ainvoke({})


PAGED = """
paths:
  /it:
    get:
      parameters:
        - {name: page, in: query, schema: {type: integer}}
        - {name: per-page, in: query, schema: {type: integer}}
      responses:
        '200':
          %s
          content: {application/json: {schema: {type: array, items: {type: object, properties: {id: {}}}}}}
"""
NEXT = {"link": '<https://elsewhere.example/it?page=2&per-page=10&cursor=x>; rel="next"'}


async def test_the_next_page_of_a_list_is_given_as_arguments(load, server):
    [tool] = (await load(PAGED % "headers: {Link: {schema: {type: string}}}")).tools
    assert tool.description.endswith("Returns {next, items: [{id}]}.")
    server.answers["/it"] = Answer(body=[{"id": 1}], headers=NEXT)
    page = await tool.ainvoke({})
    assert page == {"items": [{"id": 1}], "next": {"page": 2, "per-page": 10}}
    assert next(iter(page)) == "next", "a long page is cut behind it"
    server.answers["/it"] = Answer(body=[])
    assert await tool.ainvoke({}) == {"items": [], "next": None}


async def test_the_arguments_of_the_next_page_are_of_their_declared_types(load, server):
    paths = """
paths:
  /it:
    get:
      parameters:
        - {name: page, in: query, schema: {anyOf: [{type: integer}, {type: 'null'}]}}
        - {name: since, in: query, schema: {type: [number, 'null']}}
        - {name: all, in: query, schema: {type: boolean}}
        - {name: cursor, in: query, schema: {type: string}}
        - {name: any, in: query, schema: {}}
        - {name: odd, in: query, schema: {type: integer}}
"""
    link = "<https://elsewhere.example/it?page=2&since=1.5&all=true&cursor=7&any=8&odd=1e9>; rel=next"
    server.answers["/it"] = Answer(body={"data": []}, headers={"link": link})
    [tool] = (await load(paths)).tools
    following = {"page": 2, "since": 1.5, "all": True, "cursor": "7", "any": "8", "odd": "1e9"}
    assert (await tool.ainvoke({}))["next"] == following


async def test_a_list_stays_a_list_where_the_document_declares_no_pages(load, server):
    [tool] = (await load(PAGED % "description: fine")).tools
    assert tool.description.endswith("Returns [{id}].")
    server.answers["/it"] = Answer(body=[{"id": 1}], headers=NEXT)
    assert await tool.ainvoke({}) == [{"id": 1}]


async def test_the_next_page_of_an_object_stands_beside_its_fields(load, server):
    server.answers["/it"] = Answer(body={"data": [1]}, headers=NEXT)
    [tool] = (await load(GET)).tools
    assert await tool.ainvoke({}) == {"next": NEXT["link"][1:].partition(">")[0], "data": [1]}


async def test_a_write_takes_its_key_along(load, server):
    [tool] = (await load(POST)).tools
    assert (tool.metadata["effect"], tool.metadata["honours_key"]) == ("write", False)
    token = idempotency_key.set("key-1")
    try:
        await tool.ainvoke({"a": 1})
        assert server.last.headers["idempotency-key"] == "key-1"
        assert "Idempotency-Key: key-1" in tool.metadata["preview"]({"a": 1})
        [read] = (await load(GET)).tools
        await read.ainvoke({})
        assert "idempotency-key" not in server.last.headers
        [named] = (await load(POST, idempotency="X-Request-Id")).tools
        await named.ainvoke({"a": 1})
        assert server.last.headers["x-request-id"] == "key-1"
        assert named.metadata["honours_key"]
    finally:
        idempotency_key.reset(token)


async def test_a_declared_key_is_not_the_models_to_give(load):
    paths = "paths: {/it: {post: {parameters: [{name: idempotency-key, in: header, required: true}]}}}"
    [tool] = (await load(paths)).tools
    assert tool.args_schema["properties"] == {}
    assert tool.metadata["honours_key"]


async def test_a_preview_is_the_request_that_is_sent(load, server, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "s3cret-token")
    paths = """
paths:
  /orders/{id}/refunds:
    post:
      parameters: [{name: id, in: path, required: true}, {name: notify, in: query}, {name: X-Reason, in: header}]
      requestBody: {content: {application/json: {schema: {type: object, properties: {amount: {type: number}}}}}}
"""
    [tool] = (await load(paths, auth={"bearer_env": "SHOP_TOKEN"})).tools
    args = {"id": 7, "notify": "yes", "X-Reason": "broken", "amount": 12.5}
    assert tool.metadata["preview"](args) == (
        f"POST {server.url}/orders/7/refunds?notify=yes\n"
        "X-Reason: broken\nContent-Type: application/json\nAuthorization: ***\n\n"
        '{"amount":12.5}'
    )
    assert server.requests == []
    await tool.ainvoke(args)
    assert server.last.target == "/orders/7/refunds?notify=yes"
    assert server.last.body == b'{"amount":12.5}'
    assert server.last.headers["authorization"] == "Bearer s3cret-token"


async def test_a_tool_call_becomes_a_message(load, server):
    server.answers["/it"] = Answer(body={"id": 1})
    [tool] = (await load(GET)).tools
    message = await tool.ainvoke({"name": "getIt", "args": {}, "id": "1", "type": "tool_call"})
    assert isinstance(message, ToolMessage)
    assert message.content == '{"id": 1}'


async def test_a_query_in_the_path_is_sent_with_the_others(load, server):
    parameters = "[{name: q, in: query}, {name: id, in: path, required: true}]"
    [tool] = (await load(f"paths: {{'/it?beta=true&id={{id}}': {{get: {{parameters: {parameters}}}}}}}")).tools
    await tool.ainvoke({"q": "x", "id": "a&b"})
    assert sorted(server.last.query) == [("beta", "true"), ("id", "a&b"), ("q", "x")]
    with pytest.raises(ToolException, match="id"):
        await tool.ainvoke({"q": "x"})
