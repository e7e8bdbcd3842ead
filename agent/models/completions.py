"""Chat completions as the JSON that they are sent in.

OpenAI's client looks through every parameter of a request, and makes typed objects of every token that LangChain then
turns back into JSON. Two thirds of a token's CPU went there, and into a task for each to watch the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI, AsyncStream
from openai.resources.chat.completions import AsyncCompletionsWithRawResponse

# Servers that are at work, or have forgotten, send comments to keep the connection alive: a time limit for the next
# byte never ends these.
SILENCE = 120.0


class Chunks(AsyncStream[object]):
    """The chunks of a reply, each as the server wrote it.

    Raises:
        TimeoutError: there was no chunk for too long.
    """

    async def __aiter__(self) -> AsyncIterator[object]:
        """Yield the chunks."""
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    chunk = await anext(self)
            except StopAsyncIteration:
                return
            yield chunk


@dataclass(frozen=True)
class PlainCompletions:
    """What ChatOpenAI asks for its streams, in the place of the client's `chat.completions`.

    Args:
        client: sends the requests, with its retries, its errors and its key.
    """

    client: AsyncOpenAI

    async def create(self, *, extra_body: dict[str, Any] | None = None, **body: Any) -> Chunks:
        """Ask for a completion that is streamed.

        Args:
            extra_body: what goes over the rest of the request.
            body: the request.
        """
        request = {**body, **(extra_body or {})}
        return await self.client.post("/chat/completions", body=request, cast_to=object, stream=True, stream_cls=Chunks)

    @property
    def with_raw_response(self) -> AsyncCompletionsWithRawResponse:
        """What ChatOpenAI asks where it does not stream."""
        return self.client.chat.completions.with_raw_response
