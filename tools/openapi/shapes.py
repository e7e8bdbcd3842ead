"""What a call gives back, in few words: `{id, total, lines: [{sku, quantity}]}`. References are written by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.openapi.documents import Document
from tools.openapi.errors import Unusable

LONGEST_SHAPE = 240
_DEPTHS = (3, 2, 1)
_MOST_PARTS = 400
_MOST_HOPS = 20


def shape(document: Document, schema: Any) -> str:
    """Return what a result looks like, or nothing where it is unknown.

    Args:
        document: the document of the schema.
        schema: schema of the result.
    """
    text = ""
    for depth in _DEPTHS:
        text = _Shape(document, depth).of(schema)
        if len(text) <= LONGEST_SHAPE:
            return text
    return f"{text[:LONGEST_SHAPE].rpartition(',')[0]}, …"


class _Shape:
    def __init__(self, document: Document, depth: int) -> None:
        self._document = document
        self._depth = depth
        self._left = _MOST_PARTS

    def of(self, schema: Any, level: int = 0, hops: int = 0) -> str:
        self._left -= 1
        if self._left < 0 or hops > _MOST_HOPS:
            return ""
        try:
            source = self._document.resolved(schema)
        except Unusable:
            return ""
        if "items" in source:
            return f"[{self.of(source['items'], level, hops + 1)}]" if level < self._depth else "[]"
        names = self._names(source, hops)
        if not names:
            return ""
        if level >= self._depth:
            return "{}"
        parts = ((name, self.of(part, level + 1, hops + 1)) for name, part in names.items())
        return f"{{{', '.join(f'{name}: {inner}' if inner else name for name, inner in parts)}}}"

    def _names(self, source: Mapping[str, Any], hops: int) -> dict[str, Any]:
        names = dict(found) if isinstance(found := source.get("properties"), Mapping) else {}
        for union in ("allOf", "anyOf", "oneOf"):
            members = source.get(union)
            for member in members if isinstance(members, list) and hops < _MOST_HOPS else ():
                self._left -= 1
                if self._left < 0:
                    return names
                try:
                    names |= self._names(self._document.resolved(member), hops + 1)
                except Unusable:
                    continue
        return names
