"""Messages to and from a server, with notice taken of their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage

Message = SessionMessage | Exception
Streams = tuple[ReadStream[Message], WriteStream[SessionMessage]]


@asynccontextmanager
async def noticed(transport: AbstractAsyncContextManager[Streams], over: asyncio.Event) -> AsyncIterator[Streams]:
    """Open a transport that says when nothing comes any more.

    Args:
        transport: the transport.
        over: set when it has ended, by whichever side.
    """
    async with transport as (read, write):
        yield _Noticed(read, over), write


class _Noticed:
    def __init__(self, stream: ReadStream[Message], over: asyncio.Event) -> None:
        self._stream = stream
        self._over = over

    async def receive(self) -> Message:
        return await self._stream.receive()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self._stream.__anext__()
        except BaseException:
            self._over.set()
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(kind, error, trace)
