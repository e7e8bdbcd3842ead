"""A second user walks every path of the service's OpenAPI document, after what is the first one's.

Rows of ann's are put into every table that has an owner, so what is added to the service is walked without a word here.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import httpx2
import pytest
from sqlalchemy import JSON, Boolean, Float, Integer, insert, select

from agent.ledger.ledger import Ledger
from agent.ledger.records import Who
from agent.settings import Settings
from agent.usage import begun_call
from service.http.app import create_app
from service.records.database import open_database
from service.records.keys import Keys, NewKey
from service.records.tables import metadata

SECRET = "the-moon-is-hollow"
ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
METHODS = ("get", "post", "put", "patch", "delete")
# Paths that act on nobody's things, whatever is asked of them.
NO_THINGS = ("/v1/models/", "/api/personas")
# Headers that a careless server takes a word about the caller from.
FORGED = [
    {},
    {"X-Owner": "ann", "X-User": "ann", "X-Forwarded-User": "ann", "X-Forwarded-For": "127.0.0.1"},
    {"Cookie": "owner=ann", "X-Auth-Scheme": "langsmith", "Last-Event-ID": "0"},
]


SOME = {"owner": "ann", "status": "finished", "thumb": "up", "origin": "api"}


def value_for(column) -> Any:
    if column.table.name == "documents" and column.name == "status":
        return "indexed"
    if column.name in SOME:
        return SOME[column.name]
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, (Integer, Float)):
        return 1
    if isinstance(column.type, JSON):
        return {"text": SECRET}
    is_id = column.primary_key or column.name.endswith("_id")
    return ID[: column.type.length] if is_id else SECRET[: column.type.length]


async def rows_of_ann(database):
    found = {}
    async with database.connect() as connection:
        for table in metadata.sorted_tables:
            if "owner" in table.c:
                rows = await connection.execute(select(table).where(table.c.owner == "ann"))
                found[table.name] = [tuple(row) for row in rows]
    return found


@pytest.fixture
async def folder(tmp_path):
    async with open_database(Settings(data_dir=tmp_path)) as database, database.begin() as connection:
        for table in metadata.sorted_tables:
            if ("owner" in table.c or "run_id" in table.c) and table.name != "keys":
                await connection.execute(insert(table).values({c.name: value_for(c) for c in table.c}))
    who = Who(owner="ann", persona=SECRET, turn=SECRET, thread=SECRET, key=SECRET)
    call = {**begun_call(SECRET[:9], 1, SECRET), "input": 1}
    await Ledger(Settings(data_dir=tmp_path)).record(who, [call])
    return tmp_path


@pytest.fixture
async def two(folder):
    """Clients of ann and bob, and the document that they both may read."""
    settings = Settings(model="compatible:none", data_dir=folder)
    app = create_app(settings)
    async with open_database(settings) as database, app.router.lifespan_context(app):
        made = [await Keys(database).create(NewKey(owner, per_minute=100_000)) for owner in ("ann", "bob")]
        clients = [
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app, raise_app_exceptions=True),
                base_url="http://127.0.0.1:8000",
                headers={"Authorization": f"Bearer {key}"},
            )
            for _, key in made
        ]
        yield *clients, app.openapi(), database
        for client in clients:
            await client.aclose()


def resolved(schema, document):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def example(schema, document):
    """Return a value that fits a schema: its own example, or one that is made up."""
    schema = resolved(schema, document)
    if "examples" in schema or "example" in schema or "default" in schema:
        return schema.get("examples", [schema.get("example", schema.get("default"))])[0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    for choice in schema.get("anyOf", schema.get("oneOf", schema.get("allOf", []))):
        return example(choice, document)
    kind = schema.get("type")
    if kind == "object":
        return {name: example(part, document) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}), document)]
    return {"string": "x", "integer": 1, "number": 1, "boolean": True}.get(kind)


def content_of(operation, document):
    kinds = resolved(operation.get("requestBody", {}), document).get("content", {})
    if "application/json" in kinds:
        body = example(kinds["application/json"]["schema"], document)
        # An id in a body is as good a way to what is ann's as one in a path.
        known = resolved(kinds["application/json"]["schema"], document).get("properties", {})
        return {"json": body | {name: ID for name in known if name.endswith("_id")}}
    return {"files": {"files": ("x.md", b"# x")}} if kinds else {}


def operations(document):
    """Yield each operation with its path, filled in with the id of what is ann's."""
    for path, methods in document["paths"].items():
        for method in set(methods) & set(METHODS):
            parameters = [*methods.get("parameters", []), *methods[method].get("parameters", [])]
            kinds = {each["name"]: each["schema"].get("type") for each in parameters if each["in"] == "path"}
            filled = path.format(**{name: 1 if kind == "integer" else ID for name, kind in kinds.items()})
            yield method, path, filled, methods[method], bool(kinds)


async def test_a_second_user_reaches_nothing_of_the_first_s(two):
    _, bob, document, database = two
    before = await rows_of_ann(database)
    assert {"threads", "runs", "documents", "feedback"} <= {name for name, rows in before.items() if rows}
    for (method, path, filled, operation, has_id), headers in itertools.product(operations(document), FORGED):
        answer = await asyncio.wait_for(
            bob.request(method, filled, headers=headers, **content_of(operation, document)), 60
        )
        assert SECRET not in answer.text, (method, path, headers)
        if has_id and not path.startswith(NO_THINGS):
            assert answer.status_code == 404, (method, path, answer.status_code, answer.text)
    after = await rows_of_ann(database)
    after["keys"] = before["keys"] = []  # when one was used
    assert after == before


async def test_lists_that_are_asked_for_another_s_hold_nothing(two):
    _, bob, document, _ = two
    asked = {"owner": "ann", "by": "owner", "query": SECRET, "thread_id": ID, "after": ID, "all": "true", "since": "0"}
    for method, path, filled, operation, has_id in operations(document):
        if method != "get" or has_id:
            continue
        known = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        for query in ({}, asked, {name: value for name, value in asked.items() if name in known}):
            answer = await asyncio.wait_for(bob.get(filled, params=query), 60)
            assert SECRET not in answer.text, (path, query)
            assert ID not in answer.text.replace(f"after={ID}", ""), (path, query)
            if answer.status_code == 200 and "items" in (body := answer.json()) and path not in NO_THINGS:
                assert body["items"] == [], (path, query)


async def test_the_first_user_reaches_what_the_second_does_not(two):
    ann, _, document, _ = two
    for path in ("/api/threads/{id}", "/api/runs/{id}", "/api/documents/{id}"):
        known = [each for each in document["paths"] if each.startswith(path.partition("{")[0]) and each.endswith("}")]
        for each in known:
            answer = await ann.get(each.partition("{")[0] + ID)
            assert answer.status_code == 200, (each, answer.text)
