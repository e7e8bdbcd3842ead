"""The chat page at /, and its files."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.http.security import content_policy
from service.http.services import Shared
from service.page import FILES

# No text becomes markup or code in this page but through the library that cleans answers.
_TRUSTED = "require-trusted-types-for 'script'; trusted-types dompurify"


class _Files(StaticFiles):
    """Files that a browser need not ask for again: their address changes with them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def add_page(app: FastAPI) -> None:
    """Have an app show the chat page.

    Args:
        app: the app, with all its other routes.
    """
    files = f"static/{_digest()}/"
    page = (FILES / "index.html").read_text(encoding="utf-8").replace("static/", files)
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def index(services: Shared) -> HTMLResponse:
        policy = f"{content_policy(services.settings.allowed_hosts)}; {_TRUSTED}"
        return HTMLResponse(page, headers={"Cache-Control": "no-cache", "Content-Security-Policy": policy})

    app.include_router(router)
    app.mount(f"/{files}", _Files(directory=FILES))


def _digest() -> str:
    """Return a name for the files as they are now."""
    digest = hashlib.sha256()
    for path in sorted(path for path in FILES.rglob("*") if path.is_file()):
        digest.update(path.relative_to(FILES).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
