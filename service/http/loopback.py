"""Serving without a key: this machine only, and no page of another site that is open in its browser."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from agent.serving import is_loopback
from service.http.problems import Problem

# Whoever sends these is a proxy, and others may stand behind it.
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def refuse_others(scope: Scope, headers: Headers, pages: tuple[str, ...]) -> None:
    """Refuse a request that may come from elsewhere than this machine.

    Args:
        scope: the ASGI scope of the request.
        headers: its headers.
        pages: patterns of the origins whose pages may call, beside the service's own.

    Raises:
        Problem: it may.
    """
    ends = (scope.get("client"), scope.get("server"))
    if not all(end and is_loopback(end[0]) for end in ends) or any(name in headers for name in _OF_PROXIES):
        raise Problem(401, "from elsewhere a key is needed: selfhelp keys create makes one", code="no_key")
    host = headers.get("host", "")
    # A site can have its own name lead to 127.0.0.1, and then its pages reach this service as theirs.
    if not is_loopback(_name(host)):
        raise Problem(403, "without a key, the service is at localhost and 127.0.0.1 only", code="wrong_host")
    if not _from_here(headers, host, pages):
        raise Problem(403, "without a key, pages of other sites may not call the service", code="wrong_origin")


def _from_here(headers: Headers, host: str, pages: tuple[str, ...]) -> bool:
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") not in ("cross-site", "same-site")
    own = origin.partition("://")[2].lower() == host.lower()
    return own or any(re.fullmatch(page, origin) for page in pages)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
