"""Reading an OpenAPI document: JSON or YAML, and the places that it refers to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any
from urllib.parse import unquote

from agent.plain import kind_of
from tools.openapi.errors import ApiFailed, Unusable

LARGEST_DOCUMENT = 50 * 2**20
_MOST_HOPS = 20
_INDEX = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Document:
    """An OpenAPI document.

    Args:
        place: its address or file, as configured.
        content: what is in it.
    """

    place: str
    content: Mapping[str, Any]

    def resolved(self, part: Any) -> dict[str, Any]:
        """Return an object of the document, following `$ref`s. What stands beside a reference goes before its target.

        Args:
            part: the object.

        Raises:
            Unusable: it is no object, or a reference leads nowhere.
        """
        beside: dict[str, Any] = {}
        for _ in range(_MOST_HOPS):
            if not isinstance(part, Mapping):
                raise Unusable(f"there is {kind_of(part)} where an object is wanted")
            if "$ref" not in part:
                return {**part, **beside}
            beside = {**{key: value for key, value in part.items() if key != "$ref"}, **beside}
            part = self._target(part["$ref"])
        raise Unusable("a $ref leads to itself")

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Unusable(f"$ref {reference!r} leads out of the document")
        node: Any = self.content
        for part in filter(None, unquote(reference[1:]).split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and _INDEX.fullmatch(key) and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, Mapping) and key in node:
                node = node[key]
            else:
                raise Unusable(f"$ref {reference!r} leads nowhere")
        return node


def parse(content: bytes, place: str) -> Document:
    """Read a document.

    Args:
        content: JSON or YAML.
        place: where it is from.

    Raises:
        ApiFailed: it is no OpenAPI 3 document.
    """
    try:
        found = _loaded(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ApiFailed(f"{place} is not UTF-8 text") from None
    except RecursionError:
        raise ApiFailed(f"{place} is nested too deeply") from None
    except ValueError as error:
        raise ApiFailed(f"{place} is neither JSON nor YAML: {error}") from None
    if not isinstance(found, dict):
        raise ApiFailed(f"{place} is no OpenAPI document: there is {kind_of(found)} at its top")
    if "swagger" in found:
        raise ApiFailed(f"{place} is of Swagger 2: convert it to OpenAPI 3")
    version = found.get("openapi")
    if not str(version).startswith("3."):
        raise ApiFailed(f"{place}: openapi is {version!r}, and 3.0 and 3.1 are read")
    if not isinstance(found.get("paths", {}), dict):
        raise ApiFailed(f"{place}: paths is {kind_of(found['paths'])} where an object is wanted")
    return Document(place, found)


def _loaded(text: str) -> Any:
    if text.lstrip()[:1] == "{":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            json_error = error
        try:
            return _yaml(text)
        except ValueError:
            raise json_error from None
    return _yaml(text)


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, _loader())  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{error.problem}{place}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _size(node: Any, known: dict[int, int]) -> int:
    """Return about how many characters a node has where its aliases are written out."""
    if isinstance(node.value, str):
        return len(node.value) + 1
    if id(node) not in known:
        known[id(node)] = LARGEST_DOCUMENT  # what holds itself has no end
        parts = chain.from_iterable(node.value) if node.id == "mapping" else node.value
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


@cache
def _loader() -> Any:
    """Return a loader in which `no` and `2024-01-01` are texts, as in JSON, and keys are too."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # its base is chosen at run time
        def get_single_node(self) -> Any:
            node = super().get_single_node()
            if node is not None and _size(node, {}) > LARGEST_DOCUMENT:
                raise yaml.YAMLError(f"its aliases stand for more than {LARGEST_DOCUMENT // 2**20} MB")
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - PyYAML's
            return {
                key if isinstance(key, str) else json.dumps(key, default=str): value
                for key, value in super().construct_mapping(node, deep).items()
            }

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("timestamp", "bool")]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|false|False)$"), list("tTfF"))
    return Loader
