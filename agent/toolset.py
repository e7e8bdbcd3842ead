"""The tools of a run: what the model is shown of them, what they do to the world, and whether arguments fit."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ValidationError

from agent.errors import SettingsError
from agent.planning.parameters import Schema, widened
from agent.planning.references import find

Effect = Literal["read", "write"]

SEARCH = "search"  # the tool that finds passages of the documents


@dataclass(frozen=True)
class BoundTool:
    """A tool as the graph sees it.

    Args:
        tool: the LangChain tool. `tool.metadata["effect"]` says "read" or "write"; a tool that does not say is a write.
    """

    tool: BaseTool

    @property
    def _metadata(self) -> dict[str, Any]:
        return self.tool.metadata or {}

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.tool.name

    @property
    def summary(self) -> str:
        """The first sentence of its description."""
        return self.tool.description.partition(". ")[0].rstrip(". ")

    @property
    def effect(self) -> Effect:
        """Whether calling it changes anything outside."""
        return "read" if self._metadata.get("effect") == "read" else "write"

    @property
    def writes_reply(self) -> bool:
        """Whether this is the pseudo-tool whose text becomes the answer."""
        return bool(self._metadata.get("reply"))

    @property
    def operation(self) -> str:
        """The operation of an API that the tool is, such as "POST /refunds"; empty where it is none."""
        return str(self._metadata.get("operation", ""))

    @property
    def method(self) -> str:
        """The HTTP method that the tool uses, empty where it is none of an API."""
        return self.operation.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path of the operation, such as "/refunds/{id}"; empty where it is none of an API."""
        return self.operation.partition(" ")[2]

    @property
    def catalogue(self) -> str:
        """Name of the API or server that it is one of many tools of; empty for one that every prompt shows."""
        return str(self._metadata.get("catalogue", ""))

    @property
    def always(self) -> bool:
        """Whether every prompt shows it although it is of a catalogue."""
        return bool(self._metadata.get("always"))

    @property
    def tags(self) -> list[str]:
        """What its catalogue groups it under."""
        return list(self._metadata.get("tags", ()))

    @property
    def honours_key(self) -> bool:
        """Whether a call that is sent again with the same idempotency key takes effect once only."""
        return bool(self._metadata.get("honours_key"))

    @property
    def version(self) -> Callable[[], Awaitable[str]] | None:
        """Tells the version of what it reads, if its result follows from that and its arguments alone."""
        return self._metadata.get("version")

    @property
    def undo(self) -> str | None:
        """Name of the tool that undoes this one, where there is one."""
        return self._metadata.get("undo")

    def preview(self, args: dict[str, Any]) -> str:
        """Return the exact request that a call sends, without secrets."""
        if preview := self._metadata.get("preview"):
            return str(preview(args))
        return f"{self.name}({json.dumps(args, ensure_ascii=False, default=str)})"

    @cached_property
    def function(self) -> dict[str, Any]:
        """The OpenAI function: name, description and the tool's own parameters."""
        function: dict[str, Any] = convert_to_openai_tool(self.tool)["function"]
        function.setdefault("parameters", {"type": "object", "properties": {}})
        return function

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The function as the model is shown it, with references valid for every parameter."""
        return {**self.function, "parameters": widened(self.parameters)}

    @property
    def parameters(self) -> Schema:
        """JSON schema of the tool's own parameters."""
        parameters: Schema = self.function["parameters"]
        return parameters

    def problems(self, args: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with arguments, leaving out what cannot be known before references are resolved.

        Args:
            args: arguments as the model wrote them.
        """
        return (problem for problem, judged in self._misfits(args) if not any(find(judged)))

    def problems_of_resolved(self, args: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with arguments in which nothing is a reference, whatever a result may look like.

        Args:
            args: arguments as the tool is to get them.
        """
        return (problem for problem, _ in self._misfits(args))

    def _misfits(self, args: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield what is wrong with arguments, and the value that it is wrong with."""
        known = self.parameters.get("properties", {})
        if not self.parameters.get("additionalProperties"):
            for name in args.keys() - known.keys():
                yield f"{self.name} takes no argument {name!r}; it takes {', '.join(known) or 'none'}", None
        for place, message, judged in self._violations(args):
            yield f"{'.'.join(map(str, place)) or self.name}: {message}", judged

    def _violations(self, args: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], str, Any]]:
        """Yield place, message and the value judged, which for a missing argument is None."""
        schema = self.tool.tool_call_schema
        if isinstance(schema, dict):
            from jsonschema import Draft202012Validator  # only tools of APIs and MCP servers need it

            for error in Draft202012Validator(schema).iter_errors(args):
                yield (
                    tuple(error.absolute_path),
                    error.message,
                    None if error.validator == "required" else error.instance,
                )
        elif issubclass(schema, BaseModel):
            try:
                schema.model_validate(args)
            except ValidationError as invalid:
                for problem in invalid.errors(include_url=False, include_input=False):
                    place = problem["loc"]
                    yield place, problem["msg"], None if problem["type"] == "missing" else _at(args, place)


class Toolset:
    """The tools of a run by name, in a stable order.

    Args:
        tools: the tools.

    Raises:
        SettingsError: two tools have the same name.
    """

    def __init__(self, tools: Iterable[BoundTool]) -> None:
        self._tools: dict[str, BoundTool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise SettingsError(f"two tools are named {tool.name!r}: rename one")
            self._tools[tool.name] = tool

    def __iter__(self) -> Iterator[BoundTool]:
        return iter(self._tools.values())

    def get(self, name: str) -> BoundTool | None:
        """Return the tool of that name, if there is one."""
        return self._tools.get(name)

    def writes(self, name: str) -> bool:
        """Whether the tool of that name changes anything outside."""
        tool = self.get(name)
        return tool is not None and tool.effect == "write"

    @property
    def names(self) -> list[str]:
        """The names of the tools."""
        return list(self._tools)

    def only(self, names: Iterable[str] | None) -> Toolset:
        """Return the tools of these names, `reply` among them; all where names is None.

        Raises:
            SettingsError: there is no tool of one of the names.
        """
        if names is None:
            return self
        wanted = set(names)
        if unknown := sorted(wanted - self._tools.keys()):
            raise SettingsError(f"no tool named {', '.join(unknown)}: the tools are {', '.join(self._tools)}")
        return Toolset(tool for tool in self if tool.name in wanted or tool.writes_reply)


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        if (isinstance(value, Mapping) and key in value) or (isinstance(value, list) and key in range(len(value))):
            value = value[key]
    return value
