"""Addresses that an answer may lead to: those that were given to the assistant, and those of hosts that are allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.state import sources_of

LONGEST_ADDRESS = 2000

# What applications make a link of where it stands bare in a text, by how it begins.
BEGINNINGS = ("http://", "https://", "www.", "ftp://", "mailto:", "javascript:", "vbscript:", "data:")
# They take all that follows up to white space, so less must not be looked at.
BARE = (
    r"(?:(?<![a-zA-Z0-9])(?i:https?://|ftp://|www\.|(?:mailto|javascript|vbscript):(?=\S)|data:(?=[\w.+-]{1,80}/|[,;]))|://)"
    rf"[^\s<]{{0,{LONGEST_ADDRESS}}}"
)
_BARE = re.compile(BARE)
_CUT = re.compile(r"[\"'()<>\[\]{}|\\^`]")
_AFTER = "?!.,:;*_~'\")]}|>`”’»…。\uff0c、\uff09」"
_BEHIND = re.compile(rf"(?:\[[0-9]{{1,4}}\]?|[{re.escape(_AFTER)}])*+\Z")
# An address with these in it could be read as one and more behind it.
_MARKS = re.compile(r"[\[\]`<>\\\s]")
_CODE = re.compile("javascript:|vbscript:|data:", re.IGNORECASE)
_OF_HOST = re.compile(r"https?://(?P<host>[a-z0-9.-]+)(?::[0-9]{1,5})?(?:[/?#][^\s\\]*)?", re.IGNORECASE)


class Addresses:
    """Tells which addresses an answer may hold.

    Args:
        messages: the thread. What passages, results and the person hold may be repeated, to the letter.
        own: other texts that may be repeated, such as the persona's.
        hosts: hosts that all addresses of are allowed.
    """

    def __init__(
        self, messages: Iterable[AnyMessage] = (), own: Collection[str] = (), hosts: Iterable[str] = ()
    ) -> None:
        self._messages = list(messages)
        self._own = own
        self._hosts = {host.lower() for host in hosts}

    def may_lead_to(self, address: str) -> bool:
        """Whether an answer may hold a link to this address."""
        if len(address) >= LONGEST_ADDRESS or _MARKS.search(address) or _CODE.match(address):
            return False
        return self.may_load(address) or not self._given.isdisjoint((address, address.rstrip(_AFTER)))

    def may_load(self, address: str) -> bool:
        """Whether an answer may hold an image of this address: it is loaded unasked, so its host must be allowed."""
        parts = _OF_HOST.fullmatch(address)
        return parts is not None and parts["host"].lower() in self._hosts and not _MARKS.search(address)

    @cached_property
    def _given(self) -> set[str]:
        """Every address in what was given, with and without what stands behind it without a space."""
        return {
            form.rstrip(_AFTER)
            for text, asked in self._texts()
            for found in _BARE.finditer(text)
            for form in (found[0], _CUT.split(found[0], maxsplit=1)[0])
            if form.rstrip(_AFTER) not in asked
        }

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Yield the texts that were given, each with what the model asked: a tool may only say it after the model."""
        yield from ((text, "") for text in self._own)
        asked = {
            call["id"]: json.dumps(call["args"], ensure_ascii=False)
            for message in self._messages
            if isinstance(message, AIMessage)
            for call in message.tool_calls
        }
        for message in self._messages:
            if isinstance(message, HumanMessage):
                yield str(message.text), ""
            elif isinstance(message, ToolMessage) and message.status == "success":
                yield f"{message.text}\n{_whole(message.artifact)}", asked.get(message.tool_call_id, "")
        for source in sources_of(self._messages).values():
            yield f"{source['text']}\n{source['uri']}", ""


def without_punctuation(address: str) -> str:
    """Return an address that stands in a text without the punctuation and the citation behind it."""
    return _BEHIND.sub("", address)


def _whole(artifact: Any) -> str:
    """Write the result that a message shows cut, if it does."""
    return (
        json.dumps(artifact["value"], ensure_ascii=False) if isinstance(artifact, dict) and "value" in artifact else ""
    )
