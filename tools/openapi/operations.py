"""The operations of a document, each read on its own so that a broken one takes no other down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tools.openapi.documents import Document
from tools.openapi.errors import Unusable

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_READING = ("get", "head", "options")


@dataclass(frozen=True)
class Skipped:
    """An operation that became no tool.

    Args:
        operation: method and path.
        reason: why.
    """

    operation: str
    reason: str


@dataclass(frozen=True)
class Operation:
    """One operation.

    Args:
        method: HTTP method in lower case.
        path: path template.
        content: what the document says of it.
        shared: what it says of all operations of the path.
    """

    method: str
    path: str
    content: Mapping[str, Any]
    shared: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Method and path: `POST /refunds`."""
        return f"{self.method.upper()} {self.path}"

    @property
    def id(self) -> str | None:
        """Its operationId."""
        found = self.content.get("operationId")
        return found if isinstance(found, str) and found.strip() else None

    @property
    def reads(self) -> bool:
        """Whether its method changes nothing."""
        return self.method in _READING

    @property
    def tags(self) -> list[str]:
        """What the document groups it under."""
        tags = self.content.get("tags")
        return list(map(str, tags)) if isinstance(tags, list) else []

    def is_one_of(self, patterns: list[str]) -> bool:
        """Tell whether its id, path, method and path, or a tag fits one of the patterns."""
        names = [self.name, self.path, *([self.id] if self.id else []), *self.tags]
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    def parameters(self, document: Document) -> list[dict[str, Any]]:
        """Return its parameters, those of the path among them.

        Raises:
            Unusable: they cannot be read.
        """
        found: dict[tuple[Any, Any], dict[str, Any]] = {}
        for source in (self.shared, self.content):
            parameters = source.get("parameters") or []
            if not isinstance(parameters, list):
                raise Unusable("parameters is no list")
            for each in parameters:
                parameter = document.resolved(each)
                if not isinstance(parameter.get("name"), str) or not isinstance(parameter.get("in"), str):
                    raise Unusable("a parameter has no name or no place (in)")
                found[parameter["in"], parameter["name"]] = parameter
        return list(found.values())

    def success(self, document: Document) -> dict[str, Any]:
        """Return what the document says of its result; nothing where that cannot be read."""
        responses = self.content.get("responses")
        if not isinstance(responses, Mapping):
            return {}
        for status in sorted(map(str, responses)):
            if status.upper() in ("2XX", "DEFAULT") or status.startswith("2"):
                try:
                    return document.resolved(responses.get(status))
                except Unusable:
                    return {}
        return {}


def operations(document: Document) -> Iterator[Operation | Skipped]:
    """Yield the operations of a document, or why one cannot be read."""
    for path, item in document.content.get("paths", {}).items():
        if path.startswith("x-"):
            continue
        try:
            shared = document.resolved(item)
        except Unusable as error:
            yield Skipped(path, str(error))
            continue
        yield from _of_path(document, path, shared)


def _of_path(document: Document, path: str, shared: Mapping[str, Any]) -> Iterator[Operation | Skipped]:
    for method in METHODS:
        if method not in shared:
            continue
        name = f"{method.upper()} {path}"
        try:
            content = document.resolved(shared[method])
        except Unusable as error:
            yield Skipped(name, str(error))
            continue
        if not path.startswith("/"):
            yield Skipped(name, "its path does not begin with a slash")
        elif method == "trace":
            yield Skipped(name, "TRACE shows a request to whoever asks, with its credentials")
        else:
            yield Operation(method, path, content, shared)
