"""The reply pseudo-tool: a plan that ends in it writes its own answer."""

from __future__ import annotations

from langchain_core.tools import tool


@tool
def reply(text: str) -> str:
    """Answer with a text that refers to results, such as: Order ${1.id} costs ${1.price}. Only as the last call."""
    return text


reply.metadata = {"effect": "read", "reply": True}
