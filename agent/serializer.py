"""How a thread's state is read: as LangGraph does it, but messages are not checked again."""

from __future__ import annotations

from typing import Any

import ormsgpack
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2, JsonPlusSerializer

_KINDS: tuple[type[BaseMessage], ...] = (AIMessage, HumanMessage, SystemMessage, ToolMessage)
_MESSAGES = {(kind.__module__, kind.__name__): (kind, frozenset(kind.model_fields)) for kind in _KINDS}


class ThreadSerializer(JsonPlusSerializer):
    """LangGraph's serializer, which it writes like. A message was valid when it was written.

    To check every message again is half of what loading a long thread takes.
    """

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Read a value.

        Args:
            data: its type and its bytes, as they were written.
        """
        kind, written = data
        return self._unpacked(written) if kind == "msgpack" else super().loads_typed(data)

    def _unpacked(self, written: bytes) -> Any:
        return ormsgpack.unpackb(written, ext_hook=self._object, option=ormsgpack.OPT_NON_STR_KEYS)

    def _object(self, code: int, written: bytes) -> Any:
        if code == EXT_PYDANTIC_V2:
            module, name, fields, _ = self._unpacked(written)
            kind, names = _MESSAGES.get((module, name), (None, None))
            # One that another version wrote, with other fields, is checked.
            if kind is not None and fields.keys() == names:
                return _restored(kind, fields)
        return self._unpack_ext_hook(code, written)


def _restored(kind: type[BaseMessage], fields: dict[str, Any]) -> BaseMessage:
    """Return a message with fields, made as `model_construct` makes one, which would look for defaults."""
    message = kind.__new__(kind)
    object.__setattr__(message, "__dict__", fields)
    object.__setattr__(message, "__pydantic_fields_set__", set(fields))
    object.__setattr__(message, "__pydantic_extra__", {})
    object.__setattr__(message, "__pydantic_private__", None)
    return message
