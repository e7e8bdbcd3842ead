"""The page /docs: Swagger UI from an installed package, so that it works without a network."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_FOLDER = "/static/swagger"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_documentation(app: FastAPI) -> None:
    """Have an app show its documentation at /docs.

    Args:
        app: the app, made without a page of FastAPI's own.
    """
    page = bytes(
        get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url=f"{_FOLDER[1:]}/swagger-ui-bundle.js",
            swagger_css_url=f"{_FOLDER[1:]}/swagger-ui.css",
            swagger_favicon_url=f"{_FOLDER[1:]}/favicon.png",
        ).body
    ).decode()
    policy = _policy(page)

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    app.mount(_FOLDER, StaticFiles(directory=str(files("fastapi_offline") / "static")))


def _policy(page: str) -> str:
    """Return the policy under which the page's own inline script runs, and no other."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _INLINE.findall(page)]
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in digests)])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
