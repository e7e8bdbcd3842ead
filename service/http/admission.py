"""Nobody reaches anything that they were not let in to: a path is closed unless it is listed here."""

from __future__ import annotations

from contextlib import AsyncExitStack

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.callers import let_in
from service.http.problems import Problem, database_is_away, problem_answer
from service.http.services import Services
from service.records.database import database_errors

# What says nothing about anybody: the page and its files, the documentation, whether the process is up.
OPEN = frozenset({"/", "/favicon.ico", "/docs", "/docs/oauth2-redirect", "/openapi.json", "/healthz", "/readyz", "/ok"})
OPEN_FOLDER = "/static/"

# LangGraph's client inside its own server calls with this root path, which no request can set.
_INSIDE = "/noauth"


class Admission:
    """Lets callers in, and counts what they ask for while it is under way. A middleware.

    Args:
        app: the app behind it.
        pages: patterns of the origins whose pages may call without a key, beside the service's own.
    """

    def __init__(self, app: ASGIApp, pages: tuple[str, ...] = ()) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket") or _is_open(scope):
            await self._app(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        async with AsyncExitStack() as stack:
            try:
                caller = await services.callers.of(scope, self._pages)
                await stack.enter_async_context(services.limits.request(caller))
            except Problem as problem:
                await problem_answer(problem)(scope, receive, send)
                return
            except database_errors() as error:
                await problem_answer(database_is_away(error))(scope, receive, send)
                return
            let_in(scope, caller)
            await self._app(scope, receive, send)


def _is_open(scope: Scope) -> bool:
    root = scope.get("root_path", "")
    if root == _INSIDE or root.startswith(f"{_INSIDE}/"):
        return True
    # A browser asks with this, without credentials, what a page may send; the answer is the CORS middleware's.
    if scope.get("method") == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
        return True
    path = scope["path"].removeprefix(root)
    return scope.get("method") in ("GET", "HEAD") and (path in OPEN or path.startswith(OPEN_FOLDER))
