"""What the model is shown of an operation's arguments."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from agent.toolset import BoundTool


async def properties_of(load, schema, *, components="", **how):
    paths = f"""
paths:
  /b:
    post:
      requestBody:
        content:
          application/json:
            schema: {{type: object, properties: {{it: {schema}}}}}
{components}
"""
    [tool] = (await load(paths, **how)).tools
    Draft202012Validator.check_schema(tool.args_schema)
    return tool.args_schema["properties"]


@pytest.mark.parametrize(
    ("version", "schema", "shown"),
    [
        ("3.0.3", "{type: string, nullable: true}", {"type": ["string", "null"]}),
        ("3.1.0", "{type: [string, 'null']}", {"type": ["string", "null"]}),
        ("3.0.3", "{type: string, nullable: true, enum: [a]}", {"type": ["string", "null"], "enum": ["a", None]}),
        ("3.0.3", "{nullable: true, oneOf: [{type: string}, {type: integer}]}", {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
        ("3.1.0", "{anyOf: [{type: string}, {type: 'null'}]}", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("3.0.3", "{type: integer, minimum: 0, exclusiveMinimum: true}", {"type": "integer", "exclusiveMinimum": 0}),
        ("3.1.0", "{type: integer, exclusiveMinimum: 0}", {"type": "integer", "exclusiveMinimum": 0}),
        ("3.0.3", "{type: string, enum: [no, yes, 2024-01-01], default: no}", {"type": "string", "enum": ["no", "yes", "2024-01-01"], "default": "no"}),
        ("3.1.0", "{const: a, title: T, examples: [a], deprecated: true, xml: {name: x}}", {"const": "a"}),
        ("3.1.0", "{type: array}", {"type": "array", "items": {}}),
        ("3.1.0", "{type: string, pattern: '(?<n>['}", {"type": "string"}),
        ("3.1.0", "true", {}),
        ("3.0.3", "{type: object, additionalProperties: {type: string}}", {"type": "object", "additionalProperties": {"type": "string"}}),
        (
            "3.0.3",
            "{allOf: [{type: object, required: [a], properties: {a: {type: string}}}, {properties: {b: {type: integer}}}]}",
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
        ),
    ],
)  # fmt: skip
async def test_both_dialects_become_json_schema(load, version, schema, shown):
    found = await properties_of(load, schema, version=version)
    assert found["it"] == shown


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("{type: object, nullable: true, anyOf: [{properties: {a: {type: string}}}, {required: [b]}]}", None),
        ("{type: string, nullable: true, const: a}", None),
        ("{type: string, nullable: true, const: a, enum: [a, b]}", None),
        ("{type: array, prefixItems: [{type: string}, {type: integer}], items: false}", ["a", 1]),
        ("{type: object, required: [id, n], properties: {id: {readOnly: true}, n: {}}}", {"n": 1}),
        ("{type: object, required: [id], allOf: [{properties: {id: {readOnly: true}}}]}", {}),
        ("{allOf: [{required: [id]}, {type: object, properties: {id: {readOnly: true}}}]}", {}),
    ],
)
async def test_what_the_document_admits_is_admitted(load, schema, value):
    found = await properties_of(load, schema)
    assert Draft202012Validator(found["it"]).is_valid(value)


async def test_references_are_followed_and_recursion_ends(load):
    components = """
components:
  schemas:
    Node:
      type: object
      properties: {name: {type: string}, children: {type: array, items: {$ref: '#/components/schemas/Node'}}}
    Loop: {anyOf: [{$ref: '#/components/schemas/Loop'}, {type: string}]}
    Self: {$ref: '#/components/schemas/Self'}
"""
    found = await properties_of(load, "{$ref: '#/components/schemas/Node'}", components=components)
    child = found["it"]["properties"]["children"]["items"]
    assert child["properties"]["name"] == {"type": "string"}
    assert "$ref" not in json.dumps(found)
    assert json.dumps(found).count('"children"') <= 6
    await properties_of(load, "{$ref: '#/components/schemas/Loop'}", components=components)
    api = await load(
        "paths: {/b: {get: {parameters: [{name: q, in: query, schema: {$ref: '#/components/schemas/Self'}}]}}}"
        + components
    )
    assert [skipped.reason for skipped in api.skipped] == ["parameter 'q': a $ref leads to itself"]


async def test_what_stands_beside_a_reference_counts(load):
    components = "components: {schemas: {A: {type: string, description: Of all.}}}"
    found = await properties_of(load, "{$ref: '#/components/schemas/A', description: Of this.}", components=components)
    assert found["it"] == {"type": "string", "description": "Of this."}


async def test_references_reach_any_place_of_the_document(load):
    paths = """
paths:
  /a b/{x}: {get: {parameters: [{name: x, in: path, required: true, schema: {type: integer}}]}}
  /c/{x}: {get: {operationId: c, parameters: [{$ref: '#/paths/~1a%20b~1%7Bx%7D/get/parameters/0'}]}}
"""
    api = await load(paths)
    assert api.tools[1].args_schema["properties"] == {"x": {"type": "integer"}}


async def test_large_schemas_lose_their_depths(load):
    wide = ", ".join(
        f"p{i}: {{type: object, properties: {{a: {{type: string, description: {'word ' * 20}}}}}}}" for i in range(40)
    )
    found = await properties_of(load, f"{{type: object, properties: {{{wide}}}}}")
    assert len(json.dumps(found)) < 8000
    assert found["it"]["type"] == "object"


async def test_too_many_arguments_are_a_reason_to_skip(load):
    wide = ", ".join(f"argument_number_{i}: {{type: string}}" for i in range(400))
    paths = f"paths: {{/b: {{post: {{requestBody: {{content: {{application/json: {{schema: {{type: object, properties: {{{wide}}}}}}}}}}}}}}}}}"
    api = await load(paths)
    [skipped] = api.skipped
    assert (skipped.operation, "more than" in skipped.reason) == ("POST /b", True)


async def test_descriptions_are_the_first_sentences(load):
    paths = f"""
paths:
  /s:
    get:
      summary: Find orders
      description: |
        Finds **orders** by [what](https://example.com) is known. <p>{"And more. " * 100}</p>
      parameters: [{{name: q, in: query, description: "Words. {"Blah blah. " * 40}"}}]
      responses:
        '200': {{content: {{application/json: {{schema: {{type: array, items: {{type: object, properties: {{id: {{}}, lines: {{type: array, items: {{properties: {{sku: {{}}}}}}}}}}}}}}}}}}}}
"""
    [tool] = (await load(paths)).tools
    assert tool.description.startswith("Find orders. Finds orders by what is known. And more.")
    assert tool.description.endswith("Returns [{id, lines: [{sku}]}].")
    assert len(tool.description) < 400
    assert len(tool.args_schema["properties"]["q"]["description"]) <= 120


async def test_arguments_are_checked_and_references_allowed(load):
    [tool] = (
        await load(
            "paths: {'/o/{id}': {get: {parameters: [{name: id, in: path, required: true, schema: {type: integer}}]}}}"
        )
    ).tools
    bound = BoundTool(tool)
    assert list(bound.problems({"id": 3})) == []
    assert list(bound.problems({"id": "${1.id}"})) == []
    assert any("integer" in problem for problem in bound.problems({"id": "three"}))
    assert any("required" in problem for problem in bound.problems({}))
