"""What guards every request and response: who is let in, how much they may send, and what browsers are told."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.serving import ServiceSettings
from agent.settings import Settings
from service.http.admission import Admission
from service.http.problems import Problem, problem_answer

REQUEST_ID = "x-request-id"

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HSTS = "max-age=31536000; includeSubDomains"
_DOCS = "/docs"


def add_security(app: FastAPI, settings: Settings | None = None, pages: tuple[str, ...] = ()) -> None:
    """Put the guards in front of an app. Inside the LangGraph server they stand in front of its own paths too.

    Args:
        app: the app.
        settings: its settings, when it is not LangGraph that says which origins may read.
        pages: patterns of the origins whose pages may call without a key, beside the service's own.
    """
    app.add_middleware(Admission, pages=pages)
    app.add_middleware(Bodies)
    if settings and settings.service.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.service.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
            max_age=600,
        )
    app.add_middleware(ResponseHeaders)


def content_policy(allowed_hosts: Iterable[str]) -> str:
    """Return the Content-Security-Policy of the service's pages.

    Args:
        allowed_hosts: hosts that answers may show images of.
    """
    images = " ".join(["'self'", "data:", *(host for host in allowed_hosts if _HOST.fullmatch(host))])
    return (
        "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; "
        f"form-action 'self'; frame-ancestors 'none'; img-src {images}"
    )


class ResponseHeaders:
    """Gives each request an id, and each response the headers that keep browsers careful. A middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _with_id(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in _of_response(scope).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Bodies:
    """Refuses requests that are too large, whether or not they say how large they are. A middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = _limit(headers, scope["app"].state.services.settings.service)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await problem_answer(_too_large(limit))(scope, receive, send)
            return
        received = 0

        async def receive_within() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, receive_within, send)


def _with_id(scope: Scope) -> str:
    """Return the request's id: the caller's own, where it is one, else a new one, which the app then sees too."""
    headers = MutableHeaders(scope=scope)
    given = headers.get(REQUEST_ID, "")
    if _ID.fullmatch(given):
        return given
    headers[REQUEST_ID] = request_id = uuid.uuid4().hex
    return request_id


def _of_response(scope: Scope) -> dict[str, str]:
    found = dict(_HEADERS)
    if scope["path"].removeprefix(scope.get("root_path", "")) != _DOCS:  # that page brings its own
        found["Content-Security-Policy"] = content_policy(scope["app"].state.services.settings.allowed_hosts)
    if scope["scheme"] == "https":
        found["Strict-Transport-Security"] = _HSTS
    return found


def _limit(headers: Headers, settings: ServiceSettings) -> int:
    uploads = headers.get("content-type", "").lower().startswith("multipart/form-data")
    return settings.upload_bytes if uploads else settings.body_bytes


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the request is larger than {limit} bytes", code="too_large")
