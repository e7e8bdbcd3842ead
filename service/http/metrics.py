"""What Prometheus reads, and the counting of requests."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.http.callers import Authenticated
from service.http.problems import Problem

router = APIRouter(tags=["Health"])

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_EXAMPLE = 'selfhelp_requests_total{method="GET",path="/api/threads",status="200"} 12.0\n'
_READ: dict[int | str, dict[str, Any]] = {
    200: {"description": "In Prometheus' format.", "content": {"text/plain": {"example": _EXAMPLE}}}
}


@router.get("/metrics", response_class=Response, responses=_READ)
async def read_metrics(caller: Authenticated) -> Response:
    """Return figures for Prometheus. They are of everybody's use together, so it takes an admin's key."""
    if not caller.admin:
        raise Problem(403, "only an admin's key reads metrics", code="not_admin")
    text = await asyncio.to_thread(lambda: generate_latest(metrics.registry()))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def add_metrics(app: FastAPI) -> None:
    """Have an app count its requests."""
    app.add_middleware(Counted)


class Counted:
    """Counts requests by the path's pattern, which holds no id and nobody's words. A middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Anything can be sent as a method, and each label is kept for ever.
                labels = scope["method"] if scope["method"] in _METHODS else "other", _pattern(scope)
                metrics.REQUESTS.labels(*labels, message["status"]).inc()
                metrics.REQUEST_SECONDS.labels(*labels).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counting)


def _pattern(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "other")
