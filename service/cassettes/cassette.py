"""The file of a recorded conversation: YAML that a person can read and a version control system can compare."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal, cast

import yaml
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import SettingsError
from agent.settings import Settings
from tools.openapi.credentials import Secrets, secret_texts

_DIGEST = 12
_NAMES_A_SECRET = re.compile(r"(?:^|_)(?:(?:API)?KEY|TOKEN|SECRET|PASS(?:WD|WORD)?|PAT)$")
_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
# A shorter one would also be found where it is none.
_SHORTEST_SECRET = 8


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Named(_Part):
    """A model that was asked."""

    provider: str
    protocol: Literal["native", "json"]


class Request(_Part):
    """One model call: what was asked, as far as it matters, and the reply as it streamed."""

    model: str
    prompt: str = Field(description="Hash of the system prompt, under which it stands in `prompts`.")
    tools: str | None = Field(None, description="Hash of the tools, under which they stand in `toolsets`.")
    messages: list[dict[str, Any]]
    reply: list[str | dict[str, Any]] = Field(default_factory=list, description="Its pieces: text, and tool calls.")
    usage: dict[str, Any] | None = None
    failed: str | None = None

    def heard(self, chunk: AIMessageChunk) -> None:
        """Add a piece of the reply."""
        if text := str(chunk.text):
            self.reply.append(text)
        for part in chunk.tool_call_chunks:
            last = self.reply[-1] if self.reply else None
            if isinstance(last, dict) and last["index"] == part["index"] and not part["name"]:
                last["args"].append(part["args"] or "")
            else:
                told = {"index": part["index"], "id": part["id"], "name": part["name"], "args": [part["args"] or ""]}
                self.reply.append(told)
        if chunk.usage_metadata:
            self.usage = dict(chunk.usage_metadata)

    def pieces(self) -> Iterator[AIMessageChunk]:
        """Yield the reply as it streamed."""
        for piece in self.reply:
            if isinstance(piece, str):
                yield AIMessageChunk(content=piece)
                continue
            head = {"id": piece["id"], "name": piece["name"]}
            for args in piece["args"]:
                yield AIMessageChunk(
                    content="", tool_call_chunks=[tool_call_chunk(index=piece["index"], args=args, **head)]
                )
                head = {}
        yield AIMessageChunk(content="", usage_metadata=cast("Any", self.usage))


class Called(_Part):
    """One tool call: its arguments, and its result, passages or error."""

    tool: str
    args: dict[str, Any]
    result: Any = None
    passages: list[dict[str, Any]] | None = None
    error: str | None = None
    dropped: bool = Field(False, description="Whether it was stopped, as a read of a plan that was not run.")


class Decided(_Part):
    """Writes that were asked about, and what a person decided on them."""

    writes: list[dict[str, Any]]
    decisions: list[dict[str, Any]]


class Turn(_Part):
    """One question with all that happened until its answer."""

    question: str
    requests: list[Request] = Field(default_factory=list)
    calls: list[Called] = Field(default_factory=list)
    decided: list[Decided] = Field(default_factory=list)
    answer: str = ""


class Cassette(_Part):
    """A recorded conversation.

    Args:
        default: the model that is asked where nothing names one.
        searches: whether there were documents to search.
        context: how the turns ran.
        models: the models that were asked, by name.
        unopened: why others could not be asked, by name.
        turns: what happened.
        prompts: system prompts by their hash.
        toolsets: tools as the model was shown them, by their hash.
        elsewhere: tools of APIs and MCP servers, which are not asked when it is replayed.
    """

    version: Literal[1] = 1
    default: str
    searches: bool = False
    context: dict[str, Any]
    unopened: dict[str, str] = Field(default_factory=dict)
    models: dict[str, Named] = Field(default_factory=dict)
    turns: list[Turn] = Field(default_factory=list)
    prompts: dict[str, str] = Field(default_factory=dict)
    toolsets: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    elsewhere: list[dict[str, Any]] = Field(default_factory=list)

    def request(self, model: str, messages: list[BaseMessage], options: dict[str, Any]) -> Request:
        """Return a model call reduced to what matters, with its prompt and tools kept under their hashes."""
        reduced = [_reduced(message) for message in messages]
        prompt = "\n\n".join(each["text"] for each in reduced[:1] if each["role"] == "system")
        bound = {**options, **options.get("extra_body", {})}.get("tools") or ()
        functions = [tool.get("function", tool) for tool in bound]
        named = _hash(prompt)
        self.prompts[named] = prompt
        if functions:
            self.toolsets[_hash(functions)] = functions
        rest = reduced[1:] if prompt else reduced
        return Request(model=model, prompt=named, tools=_hash(functions) if functions else None, messages=rest)

    def written(self, secrets: Secrets) -> str:
        """Return the file's text, without what is secret."""
        content = secrets.scrubbed(self.model_dump(mode="json", exclude_defaults=True) | {"version": self.version})
        return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def read(path: Path) -> Cassette:
    """Read a cassette.

    Raises:
        SettingsError: there is none, or it is no cassette.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Cassette.model_validate(content)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(f"{path} is no cassette: it is no YAML. Record it again") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise SettingsError(f"{path} is no cassette: {place}: {first['msg']}. Record it again") from None


def write(cassette: Cassette, path: Path, settings: Settings) -> None:
    """Write a cassette, all of it or nothing.

    Raises:
        SettingsError: it cannot be written there.
    """
    text = cassette.written(_secrets(settings))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None


def _secrets(settings: Settings) -> Secrets:
    """Return what must not stand in a cassette: keys of the settings, credentials, and variables named like one."""
    own = (settings.openai_api_key, settings.api_key, settings.chroma_token, settings.qdrant_key, settings.database_url)
    texts = [each.get_secret_value() for each in own if each]
    texts += [value for name, value in os.environ.items() if _NAMES_A_SECRET.search(name.upper())]
    found = {text for text in texts if len(text) >= _SHORTEST_SECRET} | secret_texts(settings.apis)
    return Secrets({}, {}, tuple(sorted(found, key=len, reverse=True)))


def _reduced(message: BaseMessage) -> dict[str, Any]:
    reduced: dict[str, Any] = {"role": _ROLES.get(message.type, message.type), "text": str(message.text)}
    if isinstance(message, ToolMessage) and message.name:
        reduced["tool"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        reduced["calls"] = [{"tool": call["name"], "args": call["args"]} for call in message.tool_calls]
    return reduced


def _hash(value: Any) -> str:
    written = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(written.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and pieces of a reply side by side."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Elsewhere YAML reads U+0085 as a line feed.
    style = '"' if "\x85" in text else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    short = bool(items) and all(isinstance(item, str) and "\n" not in item for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
