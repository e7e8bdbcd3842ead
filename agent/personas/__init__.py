"""Personas: who the assistant speaks as. Each is a Markdown file with front matter."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.budgets import Budgets
from agent.context import Context
from agent.errors import SettingsError

SHIPPED = Path(__file__).parent


class Persona(BaseModel):
    """A persona.

    Its front matter may also set `model`, `tools`, `temperature`, `collection`, `approvals` and `budgets` for the runs
    that speak as it.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    description: str = ""
    greeting: str = ""
    model: str | None = None
    tools: list[str] | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    collection: str | None = None
    approvals: dict[str, Literal["always", "never"]] | None = None
    budgets: Budgets | None = None
    prompt: str = Field(min_length=1)

    def layer(self) -> dict[str, Any]:
        """Return the fields of `Context` that the persona sets."""
        return {name: getattr(self, name) for name in self.model_fields_set & Context.model_fields.keys()}


def read_persona(path: Path) -> Persona:
    """Read a persona file. Call it in a thread from async code.

    Raises:
        SettingsError: the file cannot be read, or its front matter is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"persona {path} cannot be read: {error}") from None
    front, prompt = _split(text)
    try:
        fields = yaml.safe_load(front) or {}
        return Persona(**({"name": path.stem} | fields), prompt=prompt.strip())
    except yaml.YAMLError as error:
        raise SettingsError(f"persona {path}: its front matter is not valid YAML: {error}") from None
    except (TypeError, ValidationError) as error:
        raise SettingsError(f"persona {path}: {error}") from None


def find_personas(own: Path) -> dict[str, Persona]:
    """Return the personas by name: the shipped ones, and the user's own over them. Call it in a thread from async code.

    Args:
        own: the user's folder of personas, which need not exist.

    Raises:
        SettingsError: a file in one of the folders is no persona.
    """
    return {persona.name: persona for folder in (SHIPPED, own) for persona in _read_all(folder)}


def find_persona(name: str, own: Path) -> Persona:
    """Return the persona of a name. Call it in a thread from async code.

    Args:
        name: its name.
        own: the user's folder of personas, which need not exist.

    Raises:
        SettingsError: there is none of that name, or a file in one of the folders is no persona.
    """
    personas = find_personas(own)
    if name not in personas:
        raise SettingsError(f"there is no persona {name!r}: there are {', '.join(personas)}")
    return personas[name]


def _read_all(folder: Path) -> Iterator[Persona]:
    for path in sorted(folder.glob("*.md")):
        try:
            state = path.stat()
        except OSError as error:
            raise SettingsError(f"persona {path} cannot be read: {error}") from None
        yield _read_once(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _read_once(path: Path, _modified: int, _size: int) -> Persona:
    """Read a persona file as it is now. Every node of a run wants them all."""
    return read_persona(path)


def _split(text: str) -> tuple[str, str]:
    """Return front matter and body. A file without front matter is all body."""
    if not text.startswith("---\n"):
        return "", text
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    return front, body
