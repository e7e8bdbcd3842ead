"""A turn's answer as a client of OpenAI's protocol sees it: text, from its first token to what waits or is cited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from textwrap import indent
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Header, Request

from service.conversation import StepEvent, Token
from service.http.openai.sources import UrlCitation, citations, listed
from service.http.openai.turns import Ended, Quiet, Turn
from service.http.openai.wire import Waiting
from service.http.problems import Problem

Result = TypeVar("Result")
Sources = Literal["list", "annotations"]
ListSources = Annotated[
    Sources,
    Header(alias="X-Selfhelp-Sources", description="How the text tells what it cites.", examples=["annotations"]),
]

CLIENT_LEFT = 499
_WAITS = """\
This is not sent before a person approves it:

{requests}

It can be approved, changed or rejected on the chat page of this service, or with \
POST /api/runs/{run}/decisions."""


class Answering:
    """An answer that is being given.

    Args:
        turn: the turn.
        sources: whether the text ends with a list of what it cites, or the annotations alone tell.
    """

    def __init__(self, turn: Turn, sources: Sources) -> None:
        self._turn = turn
        self._sources = sources
        self._broken = False
        self.text = ""
        self.citations: list[UrlCitation] = []
        self.ended: Ended | None = None

    async def events(self) -> AsyncIterator[Token | StepEvent | Quiet]:
        """Yield the pieces of the text, and what happens between them.

        Raises:
            Problem: the turn failed.
        """
        async for event in self._turn.events():
            if isinstance(event, Ended):
                self.ended = event
                for text in self._closing(event):
                    yield self._said(text)
            elif isinstance(event, Token):
                yield self._said(self._apart() + event.text)
            else:
                self._broken = self._broken or isinstance(event, StepEvent)
                yield event

    async def whole(self) -> Ended:
        """Wait for the end of the answer, and return how it ended."""
        async for _ in self.events():
            pass
        assert self.ended is not None, "a turn that does not fail ends"
        return self.ended

    def _closing(self, ended: Ended) -> list[str]:
        self.citations = list(citations(self.text, ended.extension.sources))
        waiting = ended.extension.waiting
        texts = [
            self._apart() + waiting_text(waiting) if waiting else "",
            listed(ended.extension.sources) if self._sources == "list" else "",
        ]
        return [text for text in texts if text]

    def _apart(self) -> str:
        """Return what keeps the text apart from what was said before tools were called."""
        between = "\n\n" if self._broken and self.text else ""
        self._broken = False
        return between

    def _said(self, text: str) -> Token:
        self.text += text
        return Token(text)


def waiting_text(waiting: Waiting) -> str:
    """Return what a person is told whose request waits for approval.

    Args:
        waiting: what waits.
    """
    # Indented, it is code to readers of Markdown, and nothing in it a link.
    requests = "\n\n".join(indent(str(action["description"]), "    ", lambda _: True) for action in waiting.actions)
    return _WAITS.format(requests=requests, run=waiting.run_id)


async def unless_left(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what work comes to; it is cancelled when the client leaves, since nobody else could read it.

    Args:
        request: the client's request, its body read.
        work: what it waits for.

    Raises:
        Problem: the client left.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Problem(CLIENT_LEFT, "the client has left")
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
