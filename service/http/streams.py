"""Server-sent events, and runs as such."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from anyio import CancelScope
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from service.http.problems import Problem
from service.runs.records import Event
from service.runs.runner import Runner

EVENT_STREAM = "text/event-stream"
# Proxies give a silent connection up after half a minute and more.
QUIET_SECONDS = 15.0

_EXAMPLE = """\
id: 1
event: token
data: {"text": "Within 30 days [1]."}

id: 2
event: end
data: {"status": "finished"}

"""
# What /docs says of a response of this kind.
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The run's events: token, step, waiting, restart, answer, error, and end as the last.",
        "content": {EVENT_STREAM: {"example": _EXAMPLE}},
    }
}

# Without these, proxies hold pieces back to send them together.
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event_stream(written: AsyncIterator[str | bytes], headers: Mapping[str, str] | None = None) -> StreamingResponse:
    """Return server-sent events as a response.

    Args:
        written: the events, as they stand on the wire.
        headers: further headers.
    """
    return StreamingResponse(written, media_type=EVENT_STREAM, headers={**_HEADERS, **(headers or {})})


def stream(runner: Runner, run_id: str, after: int) -> StreamingResponse:
    """Return the events of a run as a response that goes on until the run ends.

    Args:
        runner: follows the run.
        run_id: the run.
        after: number of the last event that the client has.
    """
    return event_stream(_written(runner, run_id, after), {"Content-Location": f"/api/runs/{run_id}"})


def last_seen(header: str | None, query: int | None) -> int:
    """Return the number of the last event that a client has.

    Raises:
        Problem: Last-Event-ID is no number of ours.
    """
    if header is None:
        return query or 0
    if not (header.isascii() and header.isdecimal()):
        raise Problem(422, "Last-Event-ID is the number of an event", code="invalid", param="Last-Event-ID")
    return int(header)


async def _written(runner: Runner, run_id: str, after: int) -> AsyncIterator[bytes]:
    # Sent at once, so that the client knows that it is connected.
    yield KEEPALIVE_COMMENT
    async with aclosing(runner.follow(run_id, after)) as events:
        coming = asyncio.ensure_future(anext(events, None))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=QUIET_SECONDS)
                if not done:
                    yield KEEPALIVE_COMMENT
                    continue
                event = coming.result()
                if event is None:
                    return
                yield _wire(event)
                coming = asyncio.ensure_future(anext(events, None))
        finally:
            coming.cancel()
            # When a client leaves, whatever is awaited here is cancelled too, again and again.
            with CancelScope(shield=True):
                await asyncio.wait([coming])


def _wire(event: Event) -> bytes:
    number = str(event.number) if event.number is not None else None
    return format_sse_event(data_str=json.dumps(event.data, ensure_ascii=False), event=event.event, id=number)
