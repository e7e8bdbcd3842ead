"""What a tool gave, as a JSON value that references reach into."""

from __future__ import annotations

import json
from typing import Any, Never

from langchain_core.tools import ToolException
from mcp import types

from tools.openapi.texts import brief

LARGEST_RESULT = 5 * 2**20
_LONGEST_REASON = 400
NOTHING = "done; it says nothing more"


def value(result: types.CallToolResult, tool: str) -> Any:
    """Return the value of a result: what is structured in it, else its texts, read as JSON where they are JSON.

    Args:
        result: the result, without secrets.
        tool: name of the tool.

    Raises:
        ToolException: the tool failed, or the result is too large.
    """
    parts = [_part(block) for block in result.content]
    if result.is_error:
        said = brief(" ".join(part for part in parts if isinstance(part, str)), _LONGEST_REASON)
        raise ToolException(f"{tool} failed: {said or 'it does not say why'}")
    if result.structured_content is not None:
        found = result.structured_content
    else:
        values = [
            _parsed(part) if isinstance(block, types.TextContent) else part
            for block, part in zip(result.content, parts, strict=True)
        ]
        found = values[0] if len(values) == 1 else values or NOTHING
    if len(json.dumps(found, ensure_ascii=False)) > LARGEST_RESULT:
        raise ToolException(f"{tool} gave more than {LARGEST_RESULT // 2**20} MB: ask for less at a time")
    return found


def _part(block: types.ContentBlock) -> Any:
    if isinstance(block, types.TextContent):
        return block.text
    if isinstance(block, types.ImageContent | types.AudioContent):
        return f"({block.type}, {block.mime_type}, {_size(block.data)})"
    if isinstance(block, types.ResourceLink):
        return {"name": block.name, "uri": str(block.uri)}
    if isinstance(block.resource, types.TextResourceContents):
        return block.resource.text
    return f"(file {block.resource.uri}, {block.resource.mime_type or 'unknown type'}, {_size(block.resource.blob)})"


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4:,} bytes"


def _parsed(text: str) -> Any:
    try:
        found = json.loads(text, parse_constant=_no_json)
        # 3.10 may be a version, and 1e5 an article: what would be written otherwise stays as it is.
        is_value = isinstance(found, dict | list) or (isinstance(found, int | float) and json.dumps(found) == text)
    except (ValueError, RecursionError):
        return text
    return found if is_value else text


def _no_json(constant: str) -> Never:
    raise ValueError(f"{constant} is no JSON")
