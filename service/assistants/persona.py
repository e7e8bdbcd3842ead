"""An assistant as a persona file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from service.assistants.dump import listed, texts
from service.assistants.gaps import Gap

# Models of the Assistants API, most of which have ended, and what took their place. The first that fits counts.
_SUCCESSORS = (
    (r"gpt-6", None),
    (r"(gpt-3\.5|gpt-4o-mini|gpt-4\.1-(mini|nano)|gpt-5-(mini|nano))", "gpt-6-luna"),
    (r"(o1|o3|o4|gpt-5)", "gpt-6.1-sol"),
    (r"gpt-4", "gpt-6.1-terra"),
)
_UNKNOWN = "gpt-6-luna"
_LONGEST = 60


def slug(assistant: Mapping[str, Any]) -> str:
    """Return a name for an assistant that can be a file's and a collection's."""
    for name in (assistant.get("name"), assistant["id"]):
        plain = unicodedata.normalize("NFKD", str(name or "")).encode("ascii", "ignore").decode().lower()
        if short := re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-"):
            return short
    return "assistant"


def successor(model: str) -> str:
    """Return the current model that takes the place of an earlier one."""
    name = model.removeprefix("ft:")
    for pattern, current in _SUCCESSORS:
        if re.match(pattern, name):
            return current or name
    return _UNKNOWN


def persona_text(
    assistant: Mapping[str, Any], name: str, model: str | None, tools: Collection[str], *, collection: bool
) -> tuple[str, list[Gap]]:
    """Return an assistant as a persona file, and what has no equivalent in one.

    Args:
        assistant: the assistant.
        name: name of the persona.
        model: the model to speak with, as provider:name; the successor of the assistant's own when None.
        tools: names of the tools that there are here.
        collection: whether its documents are in a collection of that name.
    """
    gaps = list(_gaps(assistant, tools))
    old = str(assistant.get("model") or "")
    chosen = model or f"openai:{successor(old)}"
    if chosen != f"openai:{old}":
        gaps.append(Gap(name, f"model {old or '(none)'}", f"{chosen} in its place: try it, and edit the persona"))
    prompt = str(assistant.get("instructions") or "").strip()
    if not prompt:
        prompt = "You are a helpful assistant."
        gaps.append(Gap(name, "no instructions", f"the prompt is: {prompt}"))
    fields: dict[str, Any] = {"name": name, "description": str(assistant.get("description") or ""), "model": chosen}
    temperature = assistant.get("temperature")
    if isinstance(temperature, int | float) and 0 <= temperature <= 2:  # noqa: PLR2004 - the API's bounds, and ours
        fields["temperature"] = temperature
    fields["tools"] = sorted(_tools(assistant, tools, collection=collection))
    if collection:
        fields["collection"] = name
    front = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{origin(assistant)}\n{front}---\n{prompt}\n", gaps


def origin(assistant: Mapping[str, Any]) -> str:
    """Return the line by which the persona file of an assistant is known."""
    return f"# imported from {re.sub(r'[^a-zA-Z0-9_-]', '', str(assistant['id']))}"


def _declared(assistant: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the kinds and names of an assistant's tools."""
    for tool in listed(assistant.get("tools")):
        function = tool.get("function")
        yield str(tool.get("type")), str(function.get("name")) if isinstance(function, Mapping) else ""


def _tools(assistant: Mapping[str, Any], known: Collection[str], *, collection: bool) -> set[str]:
    """Return the names of the tools here that an assistant may use: those it had, and no others."""
    wanted = {"search"} if collection else set()
    for kind, name in _declared(assistant):
        wanted.add({"file_search": "search", "retrieval": "search", "code_interpreter": "calculator"}.get(kind, name))
    return wanted & set(known)


def _gaps(assistant: Mapping[str, Any], known: Collection[str]) -> Iterator[Gap]:
    where = slug(assistant)
    for kind, name in _declared(assistant):
        if kind == "code_interpreter":
            yield Gap(where, "code_interpreter", "the calculator does arithmetic; no code is run")
        elif kind == "function" and name not in known:
            yield Gap(where, f"function {name}", "no tool has that name here: write one, or an API, and import again")
        elif kind not in ("function", "file_search", "retrieval"):
            yield Gap(where, f"tool {kind}", "left out")
    resources = assistant.get("tool_resources")
    for kind, resource in resources.items() if isinstance(resources, Mapping) else ():
        ids = texts(resource.get("vector_store_ids")) if isinstance(resource, Mapping) else []
        if ids:
            yield Gap(
                where,
                f"{kind} of vector store {', '.join(ids)}",
                "the files of the export are indexed anew, and searched",
            )
    if assistant.get("top_p") not in (None, 1, 1.0):
        yield Gap(where, f"top_p {assistant['top_p']}", "left out: the temperature is kept")
    if assistant.get("response_format") not in (None, "auto", {"type": "text"}):
        yield Gap(where, "response_format", "left out: say in the prompt what an answer looks like")
    if isinstance(metadata := assistant.get("metadata"), Mapping) and metadata:
        yield Gap(where, f"metadata {', '.join(metadata)}", "left out: a persona has none")
