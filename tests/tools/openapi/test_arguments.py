"""What arguments become in the request."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from langchain_core.tools import ToolException

PARAMETERS = """
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get:
      operationId: getOrder
      parameters:
        - {name: verbose, in: query, schema: {type: boolean}}
        - {name: X-Trace, in: header, schema: {type: integer}}
        - {name: theme, in: cookie, schema: {type: string}}
"""


async def test_each_argument_goes_to_its_place(load, server):
    [tool] = (await load(PARAMETERS)).tools
    await tool.ainvoke({"id": 7, "verbose": True, "X-Trace": 3, "theme": "dark"})
    request = server.last
    assert (request.method, request.target) == ("GET", "/orders/7?verbose=true")
    assert request.headers["x-trace"] == "3"
    assert request.headers["cookie"] == "theme=dark"


@pytest.mark.parametrize("value", ["../admin", "..", "%2e%2e", ""])
async def test_a_path_argument_cannot_lead_elsewhere(load, server, value):
    [tool] = (
        await load("paths: {'/files/{name}': {delete: {parameters: [{name: name, in: path, required: true}]}}}")
    ).tools
    with pytest.raises(ToolException, match="no request can be made"):
        await tool.ainvoke({"name": value})
    assert server.requests == []


@pytest.mark.parametrize("given", [{"X-Name": "a\r\nX-Admin: 1"}, {"theme": "a; admin=1"}])
async def test_an_argument_cannot_begin_another_header_or_cookie(load, server, given):
    parameters = "[{name: X-Name, in: header}, {name: theme, in: cookie}]"
    [tool] = (await load(f"paths: {{/orders: {{post: {{parameters: {parameters}}}}}}}")).tools
    with pytest.raises(ToolException, match="no request can be made"):
        await tool.ainvoke(given)
    assert server.requests == []


async def test_a_slash_in_a_path_argument_stays_in_it(load, server):
    [tool] = (
        await load("paths: {'/files/{name}': {get: {parameters: [{name: name, in: path, required: true}]}}}")
    ).tools
    await tool.ainvoke({"name": "a/b?c"})
    assert server.last.target == "/files/a%2Fb%3Fc"


async def test_a_missing_path_argument_is_said(load, server):
    [tool] = (await load(PARAMETERS)).tools
    with pytest.raises(ToolException, match="id"):
        await tool.ainvoke({})


async def test_an_argument_that_is_not_there_is_refused(load, server):
    [tool] = (await load(PARAMETERS)).tools
    with pytest.raises(ToolException, match="no argument 'colour'"):
        await tool.ainvoke({"id": 1, "colour": "red"})


@pytest.mark.parametrize(
    ("how", "value", "query"),
    [
        ("", ["a", "b"], [("q", "a"), ("q", "b")]),
        ("explode: false,", ["a", "b"], [("q", "a,b")]),
        ("style: pipeDelimited, explode: false,", ["a", "b"], [("q", "a|b")]),
        ("style: spaceDelimited, explode: false,", ["a", "b"], [("q", "a b")]),
        ("", {"x": 1, "y": True}, [("x", "1"), ("y", "true")]),
        ("explode: false,", {"x": 1, "y": 2}, [("q", "x,1,y,2")]),
        ("style: deepObject,", {"x": 1, "y": {"z": [1, 2]}}, [("q[x]", "1"), ("q[y][z]", "1"), ("q[y][z]", "2")]),
        ("style: deepObject, explode: true,", {"x": "a"}, [("q[x]", "a")]),
        ("", [True, 1], [("q", "true"), ("q", "1")]),
    ],
)
async def test_lists_and_objects_in_a_query_are_written_as_declared(load, server, how, value, query):
    [tool] = (await load(f"paths: {{/s: {{get: {{parameters: [{{{how} name: q, in: query}}]}}}}}}")).tools
    await tool.ainvoke({"q": value})
    assert server.last.query == query


@pytest.mark.parametrize(
    ("how", "value", "written"),
    [
        ("", {"a": "x", "b": 1}, "a,x,b,1"),
        ("explode: true,", {"a": "x", "b": True}, "a=x,b=true"),
        ("", ["a", 1], "a,1"),
    ],
)
async def test_lists_and_objects_in_a_path_and_a_header_are_written_as_declared(load, server, how, value, written):
    parameters = f"[{{{how} name: at, in: path, required: true}}, {{{how} name: X-At, in: header}}]"
    [tool] = (await load(f"paths: {{'/s/{{at}}': {{get: {{parameters: {parameters}}}}}}}")).tools
    await tool.ainvoke({"at": value, "X-At": value})
    assert unquote(server.last.path) == f"/s/{written}"
    assert server.last.headers["x-at"] == written


async def test_a_query_parameter_can_be_json(load, server):
    paths = "paths: {/s: {get: {parameters: [{name: q, in: query, content: {application/json: {schema: {type: object}}}}]}}}"
    [tool] = (await load(paths)).tools
    await tool.ainvoke({"q": {"a": [1]}})
    assert server.last.query == [("q", '{"a":[1]}')]


BODY = """
paths:
  /orders/{id}:
    post:
      operationId: change
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: id, in: query, schema: {type: string}}
        - {name: id_query, in: query, schema: {type: string}}
      requestBody:
        required: true
        content:
          application/xml: {schema: {type: object}}
          application/json:
            schema:
              type: object
              required: [id]
              properties:
                id: {type: integer}
                note: {type: [string, 'null']}
                created: {type: string, readOnly: true}
"""


async def test_arguments_of_one_name_are_told_apart(load, server):
    [tool] = (await load(BODY)).tools
    properties = tool.args_schema["properties"]
    by_hash = [name for name in properties if name.startswith("id_query_")]
    assert len(by_hash) == 1
    assert set(properties) == {"id_path", "id_body", "id_query", "note", *by_hash}
    assert tool.args_schema["required"] == ["id_path", "id_body"]
    await tool.ainvoke({"id_path": "p", by_hash[0]: "q", "id_body": 5})
    assert server.last.path == "/orders/p"
    assert server.last.query == [("id", "q")]
    assert server.last.json == {"id": 5}


async def test_null_reaches_the_api(load, server):
    [tool] = (await load(BODY)).tools
    await tool.ainvoke({"id_path": "p", "id_body": 5, "note": None})
    assert server.last.json == {"id": 5, "note": None}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("{type: array, items: {type: integer}}", [1, 2]),
        ("{type: string}", "plain"),
        ("{oneOf: [{type: object, properties: {a: {type: string}}}, {type: array, items: {type: string}}]}", ["x"]),
        ("{type: object, additionalProperties: {type: integer}}", {"any": 1}),
    ],
)
async def test_a_body_that_is_no_plain_object_is_one_argument(load, server, schema, value):
    paths = f"paths: {{/b: {{put: {{requestBody: {{required: true, content: {{application/json: {{schema: {schema}}}}}}}}}}}}}"
    [tool] = (await load(paths)).tools
    assert tool.args_schema["required"] == ["body"]
    await tool.ainvoke({"body": value})
    assert server.last.json == value


async def test_a_required_body_is_sent_even_without_arguments(load, server):
    paths = "paths: {/b: {post: {requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {a: {}}}}}}}}}"
    [tool] = (await load(paths)).tools
    await tool.ainvoke({})
    assert server.last.json == {}


async def test_a_json_dialect_keeps_its_media_type(load, server):
    paths = "paths: {/b: {patch: {requestBody: {content: {application/merge-patch+json: {schema: {type: object, properties: {a: {}}}}}}}}}"
    [tool] = (await load(paths)).tools
    await tool.ainvoke({"a": 1})
    assert server.last.headers["content-type"] == "application/merge-patch+json"
    assert server.last.json == {"a": 1}


async def test_a_form_is_urlencoded(load, server):
    paths = """
paths:
  /f:
    post:
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {a: {type: string}, list: {type: array, items: {type: string}}, flag: {type: boolean}, deep: {type: object}, json: {type: object}}}
            encoding: {deep: {style: deepObject}}
"""
    [tool] = (await load(paths)).tools
    await tool.ainvoke({"a": "x y", "list": ["1", "2"], "flag": True, "deep": {"k": {"l": 1}}, "json": {"m": 2}})
    assert server.last.headers["content-type"] == "application/x-www-form-urlencoded"
    from urllib.parse import parse_qsl

    assert parse_qsl(server.last.body.decode()) == [
        ("a", "x y"), ("list", "1"), ("list", "2"), ("flag", "true"), ("deep[k][l]", "1"), ("json", '{"m":2}'),
    ]  # fmt: skip


async def test_files_are_given_as_text_or_base64(load, server):
    paths = """
paths:
  /up:
    post:
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              required: [file]
              properties:
                file: {type: string, format: binary, description: What to keep.}
                more: {type: array, items: {type: string, format: binary}}
                purpose: {type: string}
                tags: {type: array, items: {type: integer}}
"""
    [tool] = (await load(paths)).tools
    assert tool.args_schema["properties"]["file"]["description"].startswith("What to keep. The file: its text")
    await tool.ainvoke(
        {"file": "data:image/png;base64,iVBORw==", "more": ["one", "two"], "purpose": "test", "tags": [1, 2]}
    )
    body = server.last.body
    assert server.last.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="file.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG' in body
    assert body.count(b'name="more"; filename="more.txt"') == 2
    assert b'name="purpose"\r\n\r\ntest' in body
    assert body.count(b'name="tags"\r\n\r\n') == 2
    with pytest.raises(ToolException, match="no valid base64"):
        await tool.ainvoke({"file": "data:image/png;base64,???"})


async def test_files_of_openapi_3_1_are_files(load, server):
    paths = """
paths:
  /up:
    post:
      requestBody:
        content:
          multipart/form-data:
            schema:
              type: object
              properties:
                file: {type: string, contentMediaType: image/png}
                more: {type: array, items: {type: string, contentMediaType: text/plain}}
                encoded: {type: string, contentMediaType: image/png, contentEncoding: base64}
"""
    [tool] = (await load(paths)).tools
    assert tool.args_schema["properties"]["encoded"]["contentEncoding"] == "base64"
    await tool.ainvoke({"file": "data:image/png;base64,iVBORw==", "more": ["one", "two"], "encoded": "iVBORw=="})
    assert b'name="file"; filename="file.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG' in server.last.body
    assert server.last.body.count(b'name="more"; filename="more.txt"') == 2
    assert b'name="encoded"\r\n\r\niVBORw==' in server.last.body


@pytest.mark.parametrize(("media_type", "sent"), [("text/plain", b"hello"), ("application/octet-stream", b"hello")])
async def test_a_body_can_be_text_or_bytes(load, server, media_type, sent):
    [tool] = (await load(f"paths: {{/b: {{post: {{requestBody: {{content: {{{media_type}: {{}}}}}}}}}}}}")).tools
    await tool.ainvoke({"body": "hello"})
    assert (server.last.headers["content-type"], server.last.body) == (media_type, sent)


@pytest.mark.parametrize("name", ["self", "config", "run_manager", "callbacks", "args", "tool_call_id"])
async def test_an_argument_may_have_any_name(load, server, name):
    [tool] = (await load(f"paths: {{/s: {{get: {{parameters: [{{name: {name}, in: query}}]}}}}}}")).tools
    await tool.ainvoke({name: "x"})
    assert server.last.query == [(name, "x")]


async def test_names_that_models_do_not_take_are_mended(load, server):
    paths = """
paths:
  /s:
    get:
      parameters:
        - {name: 'filter[name]', in: query}
        - {name: $top, in: query}
        - {name: 'date<', in: query}
        - {name: 'date>', in: query}
"""
    [tool] = (await load(paths)).tools
    names = list(tool.args_schema["properties"])
    assert names[:2] == ["filter_name", "top"]
    assert all(name.startswith("date__query_") for name in names[2:])
    await tool.ainvoke(dict(zip(names, "abcd", strict=True)))
    assert server.last.query == [("filter[name]", "a"), ("$top", "b"), ("date<", "c"), ("date>", "d")]
