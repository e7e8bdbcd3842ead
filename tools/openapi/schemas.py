"""JSON schemas of arguments as a model is shown them: in one dialect, without references, no larger than need be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tools.openapi.documents import Document
from tools.openapi.errors import Unusable
from tools.openapi.texts import brief

Schema = dict[str, Any]

_LONGEST_VALUE = 200
_MOST_CHOICES = 60
_MOST_HOPS = 40
# LangChain follows it wherever it stands, also where it is a value or the name of a property.
_REFERENCE = "$ref"
_TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
_FORMATS = ("format", "contentMediaType", "contentEncoding")
_UNIONS = ("anyOf", "oneOf")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")


class TooLarge(Exception):
    """A schema that takes more than its budget."""


@dataclass(frozen=True)
class Detail:
    """How much is said of an argument.

    Args:
        depth: how many objects and lists may stand in one another. What is deeper may be anything.
        description: the most characters of a description.
    """

    depth: int
    description: int


class Schemas:
    """Writes schemas of a document for a model.

    Args:
        document: the document.
        detail: how much is said.
        budget: characters that all schemas together may take.
    """

    def __init__(self, document: Document, detail: Detail, budget: int) -> None:
        self._document = document
        self._detail = detail
        self._left = budget

    def written(self, schema: Any) -> Schema:
        """Return a schema for a model.

        Raises:
            TooLarge: the budget is spent.
            Unusable: it is no schema.
        """
        return self._schema(schema, 0, 0)

    def described(self, schema: Schema, description: Any) -> Schema:
        """Return a schema with a description, if there is one."""
        said = brief(description, self._detail.description)
        if not said:
            return schema
        self._spend(said)
        return {**schema, "description": said}

    def _schema(self, given: Any, level: int, hops: int) -> Schema:
        if given is True or hops > _MOST_HOPS:
            return {}
        if given is False:
            return {"not": {}}
        source = self._document.resolved(given)
        schema = self._kept(source)
        self._spend({key: value for key, value in schema.items() if key != "description"})
        if level >= self._detail.depth and _has_parts(source):
            return schema | ({"items": {}} if "array" in types(schema) else {})
        self._add_parts(schema, source, level, hops)
        members = _list_of(source, "allOf")
        for member in members:
            _merge(schema, self._schema(member, level, hops + 1))
        self._drop_hidden(schema, [source, *map(self._document.resolved, members)])
        options = [self._schema(each, level, hops + 1) for union in _UNIONS for each in _list_of(source, union)]
        return _nullable(_united(schema, options), source)

    def _kept(self, source: Mapping[str, Any]) -> Schema:
        schema = self.described({}, source.get("description"))
        if source.get("type") not in (None, []):
            schema["type"] = _checked_type(source["type"])
        if isinstance(choices := source.get("enum"), list) and 0 < len(choices) <= _MOST_CHOICES and _is_plain(choices):
            schema["enum"] = choices
        for key in ("const", "default"):
            if key in source and len(_json(source[key])) <= _LONGEST_VALUE and _is_plain(source[key]):
                schema[key] = source[key]
        schema |= {key: source[key] for key in _FORMATS if isinstance(source.get(key), str)}
        return schema | _bounds(source)

    def _add_parts(self, schema: Schema, source: Mapping[str, Any], level: int, hops: int) -> None:
        if "array" in types(schema) or "items" in source:
            # Behind prefixItems, items is about the rest.
            items = True if "prefixItems" in source else source.get("items", True)
            schema["items"] = self._schema(items, level + 1, hops)
        properties = source.get("properties")
        if isinstance(properties, Mapping):
            schema["properties"] = self._properties(properties, level, hops)
        if required := _names(source):
            schema["required"] = required
        extra = source.get("additionalProperties")
        if isinstance(extra, Mapping) and extra:
            schema["additionalProperties"] = self._schema(extra, level + 1, hops)
        elif extra is False:
            schema["additionalProperties"] = False

    def _properties(self, properties: Mapping[str, Any], level: int, hops: int) -> dict[str, Schema]:
        written = {}
        for name, given in properties.items():
            if self._is_hidden(name, given):
                continue
            self._spend(name)
            written[str(name)] = self._schema(given, level + 1, hops)
        return written

    def _is_hidden(self, name: str, given: Any) -> bool:
        return name == _REFERENCE or (
            isinstance(given, Mapping) and self._document.resolved(given).get("readOnly") is True
        )

    def _drop_hidden(self, schema: Schema, parts: list[dict[str, Any]]) -> None:
        """Require no property that is not shown, in whichever part of allOf it stands."""
        properties = [found.items() for part in parts if isinstance(found := part.get("properties"), Mapping)]
        hidden = {name for name, given in chain.from_iterable(properties) if self._is_hidden(name, given)}
        required = [name for name in schema.pop("required", ()) if name not in hidden]
        schema |= {"required": required} if required else {}

    def _spend(self, written: Any) -> None:
        self._left -= len(_json(written)) + 2
        if self._left < 0:
            raise TooLarge


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Unusable("a schema holds a value that is no JSON") from None


def _is_plain(value: Any) -> bool:
    return f'"{_REFERENCE}"' not in _json(value)


def _checked_type(kind: Any) -> str | list[str]:
    kinds = kind if isinstance(kind, list) else [kind]
    for each in kinds:
        if not isinstance(each, str) or each not in _TYPES:
            raise Unusable(f"type {each!r} is no type of JSON")
    return kinds[0] if len(kinds) == 1 else list(dict.fromkeys(kinds))


def types(schema: Mapping[str, Any]) -> list[str]:
    """Return the types that a schema names."""
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _bounds(source: Mapping[str, Any]) -> Schema:
    bounds: Schema = {
        key: value
        for key in _NUMBERS
        if isinstance(value := source.get(key), int | float) and not isinstance(value, bool)
    }
    bounds |= {key: value for key in _COUNTS if type(value := source.get(key)) is int and value >= 0}
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if source.get(exclusive) is True and bound in bounds:  # as OpenAPI 3.0 writes it
            bounds[exclusive] = bounds.pop(bound)
    return bounds


def _has_parts(source: Mapping[str, Any]) -> bool:
    return any(key in source for key in ("properties", "items", "additionalProperties", "allOf", *_UNIONS))


def _list_of(source: Mapping[str, Any], key: str) -> list[Any]:
    found = source.get(key, [])
    if not isinstance(found, list):
        raise Unusable(f"{key} is no list")
    return found


def _names(source: Mapping[str, Any]) -> list[str]:
    found = source.get("required")
    return list(dict.fromkeys(name for name in found if isinstance(name, str))) if isinstance(found, list) else []


def _merge(schema: Schema, member: Schema) -> None:
    """Add what a member of allOf says. What the schema says itself counts for more."""
    for key, value in member.items():
        if key == "properties":
            schema[key] = {**value, **schema.get(key, {})}
        elif key == "required":
            schema[key] = list(dict.fromkeys([*schema.get(key, []), *value]))
        elif key != "additionalProperties":
            schema.setdefault(key, value)


def _united(schema: Schema, options: list[Schema]) -> Schema:
    if not options:
        return schema
    if len(options) == 1:
        _merge(schema, options[0])
        return schema
    if not all(options):  # one of them may be anything
        return schema
    return {**schema, "anyOf": [*schema.get("anyOf", []), *options]}


def _nullable(schema: Schema, source: Mapping[str, Any]) -> Schema:
    """Say in JSON schema's way what OpenAPI 3.0 says by `nullable`."""
    if source.get("nullable") is not True:
        return schema
    if "anyOf" in schema:
        schema = {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if schema.get("const") is not None:
        schema["enum"] = [schema.pop("const")]
    if "type" in schema and "null" not in types(schema):
        schema = {**schema, "type": [*types(schema), "null"]}
    if "enum" in schema and None not in schema["enum"]:
        schema = {**schema, "enum": [*schema["enum"], None]}
    return schema
