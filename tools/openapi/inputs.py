"""The arguments of an operation: what the model is shown, and where in the request each goes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from tools.openapi.documents import Document
from tools.openapi.errors import Unusable
from tools.openapi.names import Wanted, distinct
from tools.openapi.operations import Operation
from tools.openapi.schemas import Detail, Schema, Schemas, TooLarge

Location = Literal["path", "query", "header", "cookie", "body"]

LARGEST_SCHEMA = 6000
# The first that fits is taken.
_DETAILS = tuple(
    Detail(depth, description)
    for depth, description in ((6, 120), (4, 120), (3, 120), (2, 120), (2, 60), (1, 60), (1, 0))
)
_LOCATIONS = ("path", "query", "header", "cookie")
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
# The connection's and the body's own; OpenAPI says that a document's parameters of the first three names do not count.
_OWN_HEADERS = {
    *("accept", "content-type", "authorization"),
    *("connection", "content-length", "cookie", "expect", "host", "proxy-authorization", "te", "trailer"),
    *("transfer-encoding", "upgrade"),
}
_STYLES = {
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
FILE = "The file: its text, or data:TYPE;base64,…"


@dataclass(frozen=True)
class Input:
    """One argument.

    Args:
        argument: its name for the model.
        location: the part of the request that it goes into.
        name: its name there; empty where it is the whole body.
        schema: what it may be.
        required: whether it must be given.
        source: what the document says of a parameter.
    """

    argument: str
    location: Location
    name: str
    schema: Schema
    required: bool
    source: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """The body of a request.

    Args:
        media_type: its type, as declared.
        required: whether there must be one.
        encoding: how its properties are written.
        files: its properties that are files; an empty name where the whole body is one.
    """

    media_type: str
    required: bool
    encoding: Mapping[str, Any]
    files: frozenset[str]


@dataclass(frozen=True)
class Inputs:
    """All arguments of an operation.

    Args:
        each: the arguments.
        body: the body that some of them make up.
    """

    each: tuple[Input, ...]
    body: Body | None

    @property
    def schema(self) -> Schema:
        """JSON schema of the arguments."""
        required = [each.argument for each in self.each if each.required]
        properties = {each.argument: each.schema for each in self.each}
        return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def inputs(document: Document, operation: Operation, hidden: Collection[tuple[str, str]]) -> Inputs:
    """Return the arguments of an operation.

    Args:
        document: the document of the operation.
        operation: the operation.
        hidden: locations and names (in lower case) of parameters that are not the model's to give.

    Raises:
        Unusable: they cannot be given, or need too large a schema.
    """
    parameters = [each for each in operation.parameters(document) if not _is_hidden(each, hidden)]
    _check_path(operation, parameters)
    for detail in _DETAILS:
        schemas = Schemas(document, detail, LARGEST_SCHEMA)
        try:
            return _written(document, operation, parameters, schemas)
        except TooLarge:
            continue
    raise Unusable(f"its arguments take a schema of more than {LARGEST_SCHEMA:,} characters")


def _is_hidden(parameter: Mapping[str, Any], hidden: Collection[tuple[str, str]]) -> bool:
    name = parameter["name"].lower()
    return (parameter["in"], name) in hidden or (parameter["in"] == "header" and name in _OWN_HEADERS)


def _check_path(operation: Operation, parameters: list[dict[str, Any]]) -> None:
    declared = {each["name"] for each in parameters if each["in"] == "path"}
    if missing := set(PLACEHOLDER.findall(operation.path)) - declared:
        raise Unusable(f"its path needs {', '.join(sorted(missing))}, which no parameter declares")


def _written(document: Document, operation: Operation, parameters: list[dict[str, Any]], schemas: Schemas) -> Inputs:
    found = [_parameter(document, each, schemas) for each in parameters]
    body, parts = _body(document, operation, schemas)
    # Path first: where the model reads on is where it decides.
    found.sort(key=lambda each: (_LOCATIONS.index(each.location), not each.required))
    unnamed = [*found, *parts]
    wanted = [
        Wanted(each.name or "body", f"{each.name or 'body'}_{each.location}", f"{each.location} {each.name}")
        for each in unnamed
    ]
    named = (
        Input(name, each.location, each.name, each.schema, each.required, each.source)
        for name, each in zip(distinct(wanted), unnamed, strict=True)
    )
    return Inputs(tuple(named), body)


def _parameter(document: Document, parameter: Mapping[str, Any], schemas: Schemas) -> Input:
    location, name = parameter["in"], parameter["name"]
    if location not in _LOCATIONS:
        raise Unusable(f"parameter {name!r} goes into {location!r}, which is no part of a request")
    style = parameter.get("style")
    if style is not None and style not in _STYLES[location]:
        raise Unusable(f"{location} parameter {name!r} has the style {style!r}")
    source = {**parameter, "style": style or _STYLES[location][0], "json": False}
    given = parameter.get("schema", {})
    if isinstance(content := parameter.get("content"), Mapping) and content:
        media_type, media = next(iter(content.items()))
        given = document.resolved(media).get("schema", {})
        source["json"] = _is_json(str(media_type))
    with _named(f"parameter {name!r}"):
        schema = schemas.written(given)
        schema = schemas.described(schema, parameter.get("description"))
    required = location == "path" or parameter.get("required") is True
    return Input(name, cast(Location, location), name, schema, required, source)


def _body(document: Document, operation: Operation, schemas: Schemas) -> tuple[Body | None, list[Input]]:
    if operation.content.get("requestBody") is None:
        return None, []
    with _named("its body"):
        request = document.resolved(operation.content["requestBody"])
        content = request.get("content") or {}
        if not isinstance(content, Mapping):
            raise Unusable("content is no object")
        if not content:
            return None, []
        media_type = _chosen(list(map(str, content)))
        media = document.resolved(content.get(media_type))
        schema = schemas.written(media.get("schema", True))
    required = request.get("required") is True
    encoding = media.get("encoding")
    multipart = media_type.startswith("multipart/")
    body_schema, files = _with_files(schema, media_type) if multipart or not _is_text(media_type) else (schema, set())
    declared = "application/json" if "*" in media_type else media_type
    body = Body(declared, required, encoding if isinstance(encoding, Mapping) else {}, frozenset(files))
    return body, list(_parts(body_schema, required))


def _chosen(media_types: list[str]) -> str:
    for fits in (_is_json, _is_form, _is_multipart, _is_plain, _is_binary):
        if found := next(filter(fits, media_types), None):
            return found
    raise Unusable(f"it can only be {', '.join(media_types)}")


def _is_json(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "*/*", "application/*", "text/json") or kind.endswith("+json")


def _is_form(media_type: str) -> bool:
    return media_type.lower().startswith("application/x-www-form-urlencoded")


def _is_multipart(media_type: str) -> bool:
    return media_type.lower().startswith("multipart/form-data")


def _is_plain(media_type: str) -> bool:
    return media_type.lower().startswith("text/") and not media_type.lower().startswith("text/xml")


def _is_binary(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return kind.startswith(
        ("application/octet-stream", "image/", "audio/", "video/", "application/pdf", "application/zip")
    )


def _is_text(media_type: str) -> bool:
    return _is_json(media_type) or _is_form(media_type) or _is_plain(media_type)


def _with_files(schema: Schema, media_type: str) -> tuple[Schema, set[str]]:
    """Return a body's schema in which files are texts, and the names of its files."""
    if not _is_multipart(media_type):
        return {"type": "string", "description": FILE}, {""}
    files = {name for name, part in schema.get("properties", {}).items() if _is_file(part)}
    shown = {name: _shown_file(part) if name in files else part for name, part in schema.get("properties", {}).items()}
    return {**schema, "properties": shown}, files


def _is_file(schema: Schema) -> bool:
    one = schema.get("items", schema)
    # OpenAPI 3.0 says so with a format, 3.1 with a media type. What has an encoding is text.
    return one.get("format") == "binary" or ("contentMediaType" in one and "contentEncoding" not in one)


def _shown_file(schema: Schema) -> Schema:
    said = schema.get("description", "")
    one = {"type": "string", "description": f"{said} {FILE}".strip()}
    return {"type": "array", "items": one} if "items" in schema else one


def _parts(schema: Schema, required: bool) -> Iterator[Input]:  # noqa: FBT001 - the body's own word
    properties = schema.get("properties")
    if not properties or "anyOf" in schema:
        yield Input("", "body", "", schema, required)
        return
    for name, part in properties.items():
        yield Input("", "body", name, part, required and name in schema.get("required", ()))


@contextmanager
def _named(part: str) -> Iterator[None]:
    """Say in which part of an operation something is unusable."""
    try:
        yield
    except Unusable as error:
        raise Unusable(f"{part}: {error}") from None
