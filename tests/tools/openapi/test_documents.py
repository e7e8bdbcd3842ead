"""Documents: read, refused clearly, and never brought down by one operation."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.toolset import BoundTool
from tests.tools.openapi.conftest import Answer
from tools.openapi import ApiFailed, ApiSettings, load_api
from tools.openapi.names import Wanted, distinct

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no OpenAPI document: there is nothing at its top"),
        (b"[1]", "no OpenAPI document: there is a list at its top"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"openapi": "3.0.0",\n  oops', r"neither JSON nor YAML: .*line 2"),
        (b"openapi: 3.0.0\npaths: {a", r"neither JSON nor YAML: .*line 3"),
        (b"swagger: '2.0'", "Swagger 2: convert it"),
        (b"openapi: 4.0.0", "openapi is '4.0.0'"),
        (b"info: {}", "openapi is None"),
        (b"openapi: 3.1.0\npaths: [1]", "paths is a list"),
        (b'{"openapi": "3.1.0", "paths": ' + b"[" * 200_000, "nested too deeply|neither JSON"),
        (b"openapi: 3.1.0\npaths: !!python/object/apply:os.system [ls]", "neither JSON nor YAML: could not determine"),
    ],
)
async def test_a_broken_document_is_one_clear_error(tmp_path, content, message):
    file = tmp_path / "api.yaml"
    file.write_bytes(content)
    with pytest.raises(ApiFailed, match=message) as failed:
        await load_api(ApiSettings(name="x", spec=str(file), base_url="http://127.0.0.1"))
    assert str(file) in str(failed.value)


@pytest.mark.parametrize("use", ["default: *a8", "tags: [*a8]", "<<: *a8", "loop: &loop [*loop]"])
async def test_aliases_that_stand_for_more_than_a_document_may_hold_are_refused(load, use):
    each = "{{x{0}: &a{0} {{<<: [{1}], k{0}: [{1}]}}}}"
    lines = "\n".join(f"  - {each.format(i, ', '.join([f'*a{i - 1}'] * 10))}" for i in range(1, 9))
    with pytest.raises(ApiFailed, match="its aliases stand for more than 50 MB"):
        await load(f"x:\n  - &a0 {{k: v}}\n{lines}\n  - {{{use}}}\npaths: {{}}")


async def test_aliases_and_merges_of_a_document_are_read(load):
    paths = """
x: &id {name: id, in: query, schema: &number {type: integer}}
paths: {/a: {get: {operationId: a, parameters: [*id, {<<: *id, name: of, required: true}]}}}
"""
    [tool] = (await load(paths)).tools
    assert tool.args_schema == {
        "type": "object",
        "properties": {"of": {"type": "integer"}, "id": {"type": "integer"}},
        "required": ["of"],
    }


async def test_a_document_that_is_not_there_is_said(tmp_path, server):
    with pytest.raises(ApiFailed, match=r"none\.yaml cannot be read: No such file"):
        await load_api(ApiSettings(name="x", spec=str(tmp_path / "none.yaml")))
    server.answers["/api.json"] = Answer(404)
    with pytest.raises(ApiFailed, match="the server answered 404"):
        await load_api(ApiSettings(name="x", spec=f"{server.url}/api.json"))


BROKEN = """
paths:
  /fine: {get: {operationId: fine}}
  /missing: {get: {parameters: [{$ref: '#/components/parameters/None'}]}}
  /elsewhere: {get: {parameters: [{$ref: 'other.yaml#/x'}]}}
  /far: {get: {parameters: [{$ref: '#/tags/NINES'}]}}
  /list: {get: {parameters: x}}
  /nameless: {get: {parameters: [{in: query}]}}
  /place: {get: {parameters: [{name: a, in: body}]}}
  /type: {get: {parameters: [{name: a, in: query, schema: {type: file}}]}}
  /schema: {post: {requestBody: {content: {application/json: {schema: {properties: {a: 7}}}}}}}
  /gone: {post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/None'}}}}}}
  /xml: {post: {requestBody: {content: {application/xml: {schema: {type: object}}}}}}
  /{hidden}: {get: {}}
  /{matrix}: {get: {parameters: [{name: matrix, in: path, required: true, style: matrix}]}}
  /null: null
  /nothing: {get: null}
  relative: {get: {}}
  /trace: {trace: {}}
  /result: {get: {operationId: result, responses: {200: {$ref: '#/nowhere'}}}}
  x-extension: 3
tags: []
""".replace("NINES", "9" * 5000)


async def test_a_broken_operation_is_skipped_with_a_reason_and_takes_no_other_down(load):
    api = await load(BROKEN)
    assert [tool.name for tool in api.tools] == ["fine", "result"]
    assert {skipped.operation: skipped.reason for skipped in api.skipped} == {
        "GET /missing": "$ref '#/components/parameters/None' leads nowhere",
        "GET /elsewhere": "$ref 'other.yaml#/x' leads out of the document",
        "GET /far": f"$ref '#/tags/{'9' * 5000}' leads nowhere",
        "GET /list": "parameters is no list",
        "GET /nameless": "a parameter has no name or no place (in)",
        "GET /place": "parameter 'a' goes into 'body', which is no part of a request",
        "GET /type": "parameter 'a': type 'file' is no type of JSON",
        "POST /schema": "its body: there is a number where an object is wanted",
        "POST /gone": "its body: $ref '#/components/schemas/None' leads nowhere",
        "POST /xml": "its body: it can only be application/xml",
        "GET /{hidden}": "its path needs hidden, which no parameter declares",
        "GET /{matrix}": "path parameter 'matrix' has the style 'matrix'",
        "/null": "there is nothing where an object is wanted",
        "GET /nothing": "there is nothing where an object is wanted",
        "GET relative": "its path does not begin with a slash",
        "TRACE /trace": "TRACE shows a request to whoever asks, with its credentials",
    }


NAMES = """
paths:
  /orders/{id}/items: {parameters: [{name: id, in: path, required: true}], get: {}, post: {operationId: 'add item!'}}
  /a: {get: {operationId: same}, put: {operationId: same}}
  /orders/{order_id}: {parameters: [{name: order_id, in: path, required: true}], get: {operationId: read_order_orders__order_id__get}}
  /long: {get: {operationId: LONG}}
""".replace("LONG", "very_" * 20 + "long")


async def test_every_tool_gets_a_legible_name_of_its_own(load):
    names = [tool.name for tool in (await load(NAMES)).tools]
    assert names[:5] == ["get_orders_id_items", "add_item", "same_get_a", "same_put_a", "read_order"]
    assert re.fullmatch(r"very_very_.*_[0-9a-f]{8}", names[5])
    assert names == [tool.name for tool in (await load(NAMES)).tools]


async def test_settings_choose_operations_and_say_what_they_do(load):
    paths = """
paths:
  /orders: {get: {operationId: listOrders, tags: [orders]}, post: {operationId: makeOrder, tags: [orders]}}
  /orders/{id}: {delete: {operationId: dropOrder, parameters: [{name: id, in: path, required: true}]}}
  /search: {post: {operationId: search}}
  /admin: {get: {operationId: admin}}
"""
    api = await load(
        paths,
        include=["orders", "*/orders/*", "POST /search", "adm*"],
        exclude=["/admin"],
        effects={"search": "read"},
        undo={"makeOrder": "DELETE /orders/{id}"},
        always=["listOrders"],
    )
    found = {tool.name: tool.metadata for tool in api.tools}
    assert {name: metadata["effect"] for name, metadata in found.items()} == {
        "listOrders": "read", "makeOrder": "write", "dropOrder": "write", "search": "read",
    }  # fmt: skip
    assert found["makeOrder"]["undo"] == "dropOrder"
    assert found["makeOrder"]["operation"] == "POST /orders"
    assert found["makeOrder"]["catalogue"] == "shop"
    assert [name for name, metadata in found.items() if metadata["always"]] == ["listOrders"]
    assert [(skipped.operation, skipped.reason) for skipped in api.skipped] == [
        ("GET /admin", "left out by include and exclude")
    ]
    with pytest.raises(ApiFailed, match="no usable operation 'listorders'"):
        await load(paths, always=["listorders"])


@given(st.lists(st.tuples(st.text(max_size=80), st.sampled_from(["", "a", "get a"])), max_size=12, unique=True))
@example([("0", ""), ("0:", "")])
def test_names_are_distinct_accepted_and_do_not_depend_on_order(wanted):
    each = [Wanted(short, f"{short}_{full}", json.dumps([short, full])) for short, full in wanted]
    names = distinct(each)
    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for name in names)
    assert dict(zip(each, names, strict=True)) == dict(zip(each[::-1], distinct(each[::-1]), strict=True))


VALID = {
    "openapi": "3.0.3",
    "servers": [{"url": "http://127.0.0.1:1/{v}", "variables": {"v": {"default": "v1"}}}],
    "security": [{"key": []}],
    "paths": {
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "operationId": "getThing",
                "summary": "Get a thing.",
                "tags": ["things"],
                "parameters": [{"$ref": "#/components/parameters/Page"}],
                "responses": {"200": {"description": "ok", "headers": {"Link": {}}, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
            },
            "put": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {},
            },
        },
        "/files": {
            "post": {
                "requestBody": {"content": {"multipart/form-data": {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}, "encoding": {"file": {"contentType": "image/png"}}}}},
                "security": [],
                "responses": {},
            }
        },
    },
    "components": {
        "parameters": {"Page": {"name": "page", "in": "query", "style": "form", "explode": False, "schema": {"type": "array", "items": {"type": "integer", "minimum": 1}}}},
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "nullable": True, "enum": ["a", "b"]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "kind": {"oneOf": [{"type": "string"}, {"allOf": [{"type": "object", "additionalProperties": {"type": "integer"}}]}]},
                },
            }
        },
    },
}  # fmt: skip


def places(node, path=()):
    yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["#/components/schemas/Thing", "#/paths", "object", "array", "query", "../x", "{v}"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["$ref", "type", "properties", "items", "allOf", "name", "in", "schema", "content", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=200)
@given(changes=st.lists(st.tuples(st.sampled_from(list(places(VALID))[1:]), JSON), min_size=1, max_size=3))
async def test_any_change_of_a_document_is_converted_or_refused_clearly(tmp_path, changes):
    document = copy.deepcopy(VALID)
    for path, value in changes:
        node = document
        try:
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took its place away
    file = tmp_path / "api.json"
    file.write_text(json.dumps(document))
    try:
        api = await load_api(ApiSettings(name="x", spec=str(file), auth={"key": {"bearer_env": "TOKEN"}}))
    except ApiFailed as failed:
        assert str(file) in str(failed)  # noqa: PT017 - it may as well not fail
        return
    assert len({tool.name for tool in api.tools}) == len(api.tools)
    assert all(skipped.operation and skipped.reason for skipped in api.skipped)
    for tool in api.tools:
        assert NAME.fullmatch(tool.name)
        assert all(NAME.fullmatch(name) for name in tool.args_schema["properties"])
        Draft202012Validator.check_schema(tool.args_schema)
        json.dumps(BoundTool(tool).shown)
