"""What the model is told of an operation: a name, a few sentences, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.openapi.documents import Document
from tools.openapi.errors import Unusable
from tools.openapi.names import Wanted
from tools.openapi.operations import Operation
from tools.openapi.shapes import shape
from tools.openapi.texts import brief

LONGEST_DESCRIPTION = 300
_SHORTEST_DESCRIPTION = 40


@dataclass(frozen=True)
class Result:
    """What the document says of an operation's result.

    Args:
        shape: what it looks like, as the model is told; empty where that is unknown.
        paged: whether it is a list that goes on at the address in the Link header.
        media_types: what it may come as.
    """

    shape: str
    paged: bool
    media_types: frozenset[str]


def result(document: Document, operation: Operation) -> Result:
    """Return what the document says of an operation's result. What cannot be read of it is left out."""
    success = operation.success(document)
    headers, content = success.get("headers"), success.get("content")
    media = content if isinstance(content, Mapping) else {}
    chosen = next((said for kind, said in media.items() if "json" in kind), None)
    try:
        found = shape(document, document.resolved(chosen).get("schema"))
    except Unusable:
        found = ""
    links = isinstance(headers, Mapping) and "link" in map(str.lower, headers)
    if links and found.startswith("["):
        return Result(f"{{next, items: {found}}}", paged=True, media_types=frozenset(media))
    return Result(found, paged=False, media_types=frozenset(media))


def description(operation: Operation, result: Result) -> str:
    """Return the description of an operation's tool."""
    content: Mapping[str, Any] = operation.content
    summary = brief(content.get("summary"), LONGEST_DESCRIPTION).rstrip(".")
    left = max(LONGEST_DESCRIPTION - len(summary), _SHORTEST_DESCRIPTION)
    longer = brief(content.get("description"), left).rstrip(".")
    said = [summary] if summary and summary not in longer else []
    said += [longer] if longer else []
    said = said or [operation.name]
    said += ["Deprecated"] if content.get("deprecated") is True else []
    said += [f"Returns {result.shape}"] if result.shape else []
    return f"{'. '.join(said)}."


def wanted_name(operation: Operation) -> Wanted:
    """Return what an operation's tool would be called."""
    by_path = f"{operation.method} {operation.path}"
    if operation.id is None:
        return Wanted(by_path, by_path, operation.name)
    # FastAPI makes an operationId of the function's name, the path and the method: the name is enough.
    added = "".join(letter if letter.isalnum() else "_" for letter in operation.path) + f"_{operation.method}"
    return Wanted(operation.id.removesuffix(added) or operation.id, f"{operation.id} {by_path}", operation.name)
