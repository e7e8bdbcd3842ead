"""The OpenAPI document that /docs shows: every field says what it is, by words and by an example."""

from __future__ import annotations

import pytest

from service.http.app import create_app

DOCUMENT = create_app().openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{method} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def schema_of(reference):
    return SCHEMAS[reference.rpartition("/")[2]]


def is_described(schema):
    if "description" in schema:
        return True
    return "$ref" in schema and "description" in schema_of(schema["$ref"])


def has_example(schema):
    """Whether /docs has something to show: an example, or parts that have theirs."""
    if "examples" in schema or "const" in schema or "$ref" in schema:
        return True
    if schema.get("type") == "array":
        return has_example(schema["items"])
    return any(has_example(choice) for choice in schema.get("anyOf", schema.get("oneOf", ())))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_has_a_description_and_an_example(name):
    fields = SCHEMAS[name].get("properties", {})
    assert [field for field, schema in fields.items() if not is_described(schema)] == []
    assert [field for field, schema in fields.items() if not has_example(schema)] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_path_says_what_it_takes_and_gives(name):
    operation = OPERATIONS[name]
    assert operation["description"]
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter["name"]
        assert "examples" in parameter or has_example(parameter["schema"]), parameter["name"]
    for status, response in operation["responses"].items():
        assert response["description"]
        assert status == "204" or response["content"], status
    assert operation["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith("/Failed")


def test_a_field_that_is_misspelt_is_refused():
    # OpenAI's protocol has fields that are none of ours.
    asked = [operation.get("requestBody", {}) for name, operation in OPERATIONS.items() if " /api/" in name]
    bodies = [body.get("content", {}) for body in asked]
    names = [body["application/json"]["schema"]["$ref"] for body in bodies if "application/json" in body]
    assert names
    assert [name for name in names if schema_of(name).get("additionalProperties") is not False] == []
