"""What the site generates: the tables of settings and the page of the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from agent.context import Context
from agent.settings import Settings

SETTINGS = "<!-- settings -->"
COMMANDS = "<!-- commands -->"
SET_BY_THE_SERVICE = "key_budget"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put what is generated into a page that asks for it."""
    if SETTINGS in markdown:
        markdown = markdown.replace(SETTINGS, settings())
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, commands())
    return markdown


def settings() -> str:
    """Return the tables of all settings: of those that a run may set too, of the others, and of sections."""
    fields = {name: field for name, field in Settings.model_fields.items() if name != SET_BY_THE_SERVICE}
    of_a_run = {name: field for name, field in fields.items() if name in Context.model_fields and name != "tools"}
    others = {name: field for name, field in fields.items() if name not in of_a_run}
    plain = [f"## Of a run\n\n{_table(of_a_run)}", f"## Of the deployment\n\n{_table(others)}"]
    return "\n\n".join((*plain, *_sections("", fields)))


def commands() -> str:
    """Return the command line's help as Markdown."""
    command = [sys.executable, "-m", "typer", "service.cli", "utils", "docs", "--name", "selfhelp"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return run.stdout.removeprefix("# `selfhelp`\n")


def _sections(parent: str, fields: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        model = _section(field)
        if model is None:
            continue
        section = f"{parent}.{name}" if parent else name
        summary = (model.__doc__ or "").strip().splitlines()[0]
        yield f"## `[{section}]`\n\n{summary}\n\n{_table(model.model_fields)}"
        yield from _sections(section, model.model_fields)


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = [_row(name, field) for name, field in fields.items() if _section(field) is None]
    return "\n".join(("| key | what it is | default |", "| --- | --- | --- |", *rows)) if rows else ""


def _row(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    required = default is PydanticUndefined
    shown = "required" if required else "" if default in (None, "", [], {}) else f"`{_plain(default)}`"
    variable = f" In the environment: `{field.validation_alias}`." if field.validation_alias else ""
    return f"| `{name}` | {field.description or ''}{variable} | {shown} |"


def _plain(default: object) -> str:
    """Write a default as it stands in selfhelp.toml, but for quotes."""
    if isinstance(default, SecretStr):
        return "secret"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model that a field holds, alone or in a list."""
    return next(
        (kind for kind in _kinds(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)), None
    )


def _kinds(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, UnionType, list, dict):
        for inner in get_args(annotation):
            yield from _kinds(inner)
    else:
        yield annotation
