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

from agent.settings import Settings

SETTINGS = "<!-- settings -->"
COMMANDS = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put what is generated into a page that asks for it."""
    if SETTINGS in markdown:
        markdown = markdown.replace(SETTINGS, settings())
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, commands())
    return markdown


def settings() -> str:
    """Return the tables of all settings, those of sections behind the plain ones."""
    return "\n\n".join(_tables("", Settings))


def commands() -> str:
    """Return the command line's help as Markdown."""
    command = [sys.executable, "-m", "typer", "service.cli", "utils", "docs", "--name", "selfhelp"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return run.stdout.removeprefix("# `selfhelp`\n")


def _tables(section: str, model: type[BaseModel]) -> Iterator[str]:
    fields = {name: field for name, field in model.model_fields.items() if _section(field) is None}
    title = f"## `[{section}]`\n\n" if section else ""
    summary = f"{(model.__doc__ or '').strip().splitlines()[0]}\n\n" if section else ""
    head = "| key | what it is | default |\n| --- | --- | --- |"
    yield f"{title}{summary}{head}\n" + "\n".join(_row(name, field) for name, field in fields.items())
    for name, field in model.model_fields.items():
        inner = _section(field)
        if inner is not None:
            yield from _tables(f"{section}.{name}" if section else name, inner)


def _row(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    required = default is PydanticUndefined
    shown = "required" if required else "" if default in (None, "", [], {}) else f"`{_plain(default)}`"
    return f"| `{name}` | {field.description or ''} | {shown} |"


def _plain(default: object) -> str:
    return "secret" if isinstance(default, SecretStr) else str(default)


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
