"""From what a server says of its tools to tools of the assistant. What it says is text of others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from langchain_core.tools import BaseTool

from agent.mcp_servers import McpSettings
from tools.mcp.connections import Connection
from tools.mcp.errors import McpFailed
from tools.mcp.tool import McpTool
from tools.openapi.documents import Document
from tools.openapi.errors import Unusable
from tools.openapi.names import Wanted, distinct
from tools.openapi.schemas import Detail, Schemas, TooLarge
from tools.openapi.shapes import shape
from tools.openapi.texts import brief

LONGEST_DESCRIPTION = 600
LARGEST_SCHEMA = 6000
_LONGEST_NAME = 128
# How much is said of the arguments; the first that fits is taken.
_DETAILS = (Detail(6, 200), Detail(4, 120), Detail(3, 60), Detail(2, 60), Detail(1, 0))

Described = dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """A tool of a server that is not bound.

    Args:
        tool: its name.
        reason: why.
    """

    tool: str
    reason: str


def converted(described: Iterable[Described], connection: Connection) -> tuple[list[BaseTool], list[Skipped]]:
    """Return the tools that a server describes, and those that are not bound.

    Args:
        described: what the server says of each.
        connection: calls them.

    Raises:
        McpFailed: the settings name tools that are not there.
    """
    settings = connection.settings
    skipped: list[Skipped] = []
    usable: list[tuple[Described, dict[str, Any]]] = []
    for each in described:
        try:
            usable.append((each, _parameters(each, settings)))
        except Unusable as error:
            skipped.append(Skipped(each["name"][:_LONGEST_NAME], str(error)))
        except RecursionError:
            skipped.append(Skipped(each["name"][:_LONGEST_NAME], "it is nested too deeply"))
    _check_settings(settings, [each["name"] for each, _ in usable])
    names = distinct([Wanted(each["name"], f"{settings.name}_{each['name']}", each["name"]) for each, _ in usable])
    tools: list[BaseTool] = [
        McpTool.of(
            connection,
            each["name"],
            name=name,
            description=_description(each),
            args_schema=parameters,
            metadata={
                "effect": effect(each, settings),
                "operation": f"MCP {settings.name}/{each['name']}",
                "catalogue": settings.name,
                "always": _fits(each["name"], settings.always),
                "honours_key": False,
            },
        )
        for (each, parameters), name in zip(usable, names, strict=True)
    ]
    return tools, skipped


def effect(described: Described, settings: McpSettings) -> Literal["read", "write"]:
    """Return what a tool does: what the settings say, else, if they trust the server, what it says; else a write."""
    for pattern, said in settings.effects.items():
        if fnmatchcase(described["name"], pattern):
            return said
    claims_to_read = described.get("annotations", {}).get("readOnlyHint") is True
    return "read" if settings.trust_annotations and claims_to_read else "write"


def _parameters(described: Described, settings: McpSettings) -> dict[str, Any]:
    name = described["name"]
    if len(name) > _LONGEST_NAME:
        raise Unusable("its name is too long")
    if (settings.include and not _fits(name, settings.include)) or _fits(name, settings.exclude):
        raise Unusable("left out by include and exclude")
    given = described.get("inputSchema", {})
    for detail in _DETAILS:
        try:
            written = Schemas(Document(name, given), detail, LARGEST_SCHEMA).written(given)
        except TooLarge:
            continue
        written.pop("description", None)
        return {"properties": {}, **written, "type": "object"}
    raise Unusable("its arguments are too large to be shown")


def _description(described: Described) -> str:
    title = described.get("title") or described.get("annotations", {}).get("title") or described["name"]
    said = brief(described.get("description"), LONGEST_DESCRIPTION) or brief(title, LONGEST_DESCRIPTION)
    schema = described.get("outputSchema", {})
    gives = shape(Document(described["name"], schema), schema)
    return f"{said.rstrip('.')}. Returns {brief(gives, len(gives))}." if gives else said


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_settings(settings: McpSettings, names: list[str]) -> None:
    """See that what the settings say of tools is said of ones that are there."""
    unknown = [
        pattern
        for pattern in [*settings.effects, *settings.always]
        if not any(_fits(name, [pattern]) for name in names)
    ]
    if unknown:
        raise McpFailed(
            f"it has no tool {', '.join(map(repr, unknown))}: effects and always of the MCP server "
            f"{settings.name!r} take names and patterns of its tools"
        )
