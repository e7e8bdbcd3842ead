"""JSON schemas of tool parameters: what they take, and the wider form that lets a reference stand for a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent.planning.references import whole

Schema = Mapping[str, Any]

# Looser than the grammar, for brevity: the model pays for it with every parameter.
REFERENCE: Schema = {"type": "string", "pattern": r"^\$\{[^}]+\}$"}

_UNIONS = ("anyOf", "oneOf", "allOf")
_DEPTH = 12


def widened(schema: Schema) -> dict[str, Any]:
    """Return a schema of parameters in which a reference is valid wherever a value is.

    Args:
        schema: JSON schema of an object; local `$ref`s are followed, recursive ones cut.
    """
    own = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    return _widened_object(_inlined(own, schema, _DEPTH))


def takes_list(schema: Schema | None) -> bool:
    """Whether a value under this schema may be a list. A schema that says nothing allows one."""
    if schema is None or not ({"type", "enum", "const", *_UNIONS} & schema.keys()):
        return True
    kind = schema.get("type")
    if kind == "array" or (isinstance(kind, list) and "array" in kind):
        return True
    return any(takes_list(option) for union in ("anyOf", "oneOf") for option in schema.get(union, ()))


def map_scalars(value: Any, schema: Schema | None, change: Callable[[str], str]) -> Any:
    """Return arguments with `change` applied to every text that stands where one single value is wanted.

    Left alone are the items of lists, and a lone reference in a place that takes a list.

    Args:
        value: the arguments, or a part of them.
        schema: JSON schema of that part.
        change: gets the text and returns what is to stand there instead.
    """
    if isinstance(value, Mapping):
        return {name: map_scalars(item, _property(schema, name), change) for name, item in value.items()}
    if isinstance(value, str) and not (takes_list(schema) and whole(value)):
        return change(value)
    return value


def fitted(value: Any, schema: Schema | None) -> Any:
    """Return resolved arguments with numbers and truth values written as text where only text is wanted.

    Args:
        value: the arguments, or a part of them.
        schema: JSON schema of that part.
    """
    if isinstance(value, Mapping):
        return {name: fitted(item, _property(schema, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [fitted(item, _items(schema)) for item in value]
    if isinstance(value, int | float) and _kinds(schema) in ({"string"}, {"string", "null"}):
        return json.dumps(value)
    return value


def _kinds(schema: Schema | None) -> set[str]:
    """Return the types that a value may have, "any" among them where the schema does not say."""
    options = [option for union in ("anyOf", "oneOf") for option in (schema or {}).get(union, ())]
    if options:
        return set().union(*map(_kinds, options))
    kind = (schema or {}).get("type", "any")
    return {kind} if isinstance(kind, str) else set(kind)


def _items(schema: Schema | None) -> Schema | None:
    return next((options["items"] for options in _options(schema) if isinstance(options.get("items"), Mapping)), None)


def _property(schema: Schema | None, name: str) -> Schema | None:
    return next(
        (options["properties"][name] for options in _options(schema) if name in options.get("properties", {})), None
    )


def _options(schema: Schema | None) -> Iterator[Schema]:
    if schema is None:
        return
    yield schema
    for union in _UNIONS:
        for option in schema.get(union, ()):
            yield from _options(option)


def _inlined(schema: Any, root: Schema, depth: int) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, root, depth) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        target = _target(root, str(schema["$ref"])) if depth else {}
        return _inlined({**target, **rest}, root, depth - 1)
    return {key: _inlined(value, root, depth) for key, value in schema.items()}


def _target(root: Schema, pointer: str) -> Schema:
    node: Any = root
    for key in pointer.removeprefix("#/").split("/"):
        node = node.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(node, Mapping) else {}
    return node if isinstance(node, Mapping) else {}


def _widened_object(schema: Schema) -> dict[str, Any]:
    wide = dict(schema)
    wide["properties"] = {name: _widened(item) for name, item in schema.get("properties", {}).items()}
    return wide


def _widened(schema: Any) -> Any:
    if not isinstance(schema, Mapping) or _takes_text(schema):
        return schema
    wide = dict(schema)
    if "items" in wide:
        wide["items"] = _widened(wide["items"])
    if wide.get("properties"):
        wide = _widened_object(wide)
    notes = {key: wide.pop(key) for key in ("title", "description", "default") if key in wide}
    options = wide.pop("anyOf") if "anyOf" in wide and len(wide) == 1 else [wide]
    return {**notes, "anyOf": [*options, REFERENCE]}


def _takes_text(schema: Schema) -> bool:
    """Whether any text at all is valid, so that a reference is too."""
    if {"enum", "const", "pattern", "format", "maxLength"} & schema.keys():
        return False
    kind = schema.get("type")
    if kind == "string" or (isinstance(kind, list) and "string" in kind):
        return True
    if kind is None and not any(union in schema for union in _UNIONS):
        return True
    return any(
        _takes_text(option)
        for union in ("anyOf", "oneOf")
        for option in schema.get(union, ())
        if isinstance(option, Mapping)
    )
