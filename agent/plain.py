"""Plain data: JSON types in whole characters, as references reach into and every store and prompt can write them."""

from __future__ import annotations

from math import isfinite
from typing import Any

from pydantic_core import to_jsonable_python

from agent.errors import SelfhelpError

# Pydantic writes nothing that is nested 255 deep, and what holds the value is nested itself.
DEEPEST = 200
_INTEGERS = range(-(2**63), 2**64)  # what MessagePack holds


class NotPlain(SelfhelpError, ValueError):
    """A value that cannot be written as JSON. Pydantic says of which field, as it is a ValueError."""


def plain(value: Any) -> Any:
    """Return a value as JSON types. Numbers that JSON or a store cannot hold become text, so that no digit is lost.

    Args:
        value: anything that Python made.

    Raises:
        NotPlain: it holds itself, is nested too deeply, or does not let itself be read.
    """
    try:
        return _kept(to_jsonable_python(value, fallback=str, bytes_mode="base64"), DEEPEST)
    except NotPlain:
        raise
    except Exception as error:  # objects run code of their own when they are read
        raise NotPlain(f"it cannot be written as JSON: {error}") from error


def legible(text: str) -> str:
    """Return a text that UTF-8 can write: halves of surrogate pairs are put together, and U+FFFD stands for lone ones.

    Args:
        text: any text. JSON's escapes, names of files and arguments of commands can hold such halves.
    """
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def kind_of(value: Any) -> str:
    """Return what a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), "a number")


def _kept(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, int):
        return value if value in _INTEGERS else str(value)
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise NotPlain("it is nested too deeply")
    if isinstance(value, dict):
        return {legible(name): _kept(item, depth - 1) for name, item in value.items()}
    return [_kept(item, depth - 1) for item in value]
