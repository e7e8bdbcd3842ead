"""What an API answered, as a JSON value that references reach into, or as an error that says status and reason."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2

from tools.openapi.credentials import Secrets
from tools.openapi.errors import CallFailed, Status
from tools.openapi.inputs import Inputs
from tools.openapi.schemas import Schema, types
from tools.openapi.texts import brief

LARGEST_ANSWER = 5 * 2**20
_LONGEST_REASON = 400
_TITLE = re.compile(r"<title[^>]{0,200}>(?P<title>[^<]{1,300})", re.IGNORECASE)
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?|true|false")
_TEXTS = ("xml", "yaml", "javascript", "ndjson", "jsonl", "jsonlines", "json-seq")
_SAYING = ("title", "detail", "message", "msg", "error", "error_description", "description", "errors")
_MOST_SAID = 5


@dataclass(frozen=True)
class Answers:
    """Reads the answers of one operation.

    Args:
        operation: its method and path.
        inputs: its arguments.
        paged: whether a result is a list that goes on at the address in the Link header.
        page: whether it answers with an HTML page.
    """

    operation: str
    inputs: Inputs
    paged: bool
    page: bool

    async def value(self, response: httpx2.Response, secrets: Secrets) -> Any:
        """Return the value of an answer.

        Args:
            response: the answer, not yet read.
            secrets: what must not come out of it.

        Raises:
            CallFailed: it is an error, or no result.
        """
        content = await self._body(response)
        said = secrets.scrubbed(_text(response, content))
        if not response.is_success:
            raise self._failure(response, said)
        if not content:
            return {"status": response.status_code}
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/html" and not self.page:
            raise self._failed(response, f"with an HTML page instead of JSON: {_reason(said)}")
        if kind.endswith(("/json", "+json")) or not kind:
            try:
                value = secrets.scrubbed(json.loads(content))
            except (ValueError, RecursionError):
                if kind:
                    raise self._failed(response, "with what says to be JSON and is not") from None
                return said
            return self._with_next(value, response, secrets)
        if kind.startswith("text/") or kind.endswith(_TEXTS):
            return said
        return {"status": response.status_code, "content_type": kind, "bytes": len(content)}

    async def _body(self, response: httpx2.Response) -> bytes:
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > LARGEST_ANSWER:
                raise self._failed(response, f"with more than {LARGEST_ANSWER // 2**20} MB: ask for less at a time")
        return bytes(content)

    def _failure(self, response: httpx2.Response, said: str) -> CallFailed:
        if response.has_redirect_location:
            return self._failed(response, "which leads elsewhere and is not followed")
        reason = _reason(said)
        return self._failed(response, f"{_phrase(response)}{': ' if reason else ''}{reason}")

    def _failed(self, response: httpx2.Response, reason: str) -> CallFailed:
        asked = response.headers.get("retry-after")
        status = Status(response.status_code, {"retry-after": asked} if asked else {})
        return CallFailed(f"{self.operation} was answered {response.status_code} {reason}".strip(), status)

    def _with_next(self, value: Any, response: httpx2.Response, secrets: Secrets) -> Any:
        following = self._next(response, secrets)
        if self.paged and isinstance(value, list):
            # Next goes first: a long list is cut at its end.
            return {"next": following, "items": value}
        if following and isinstance(value, dict):
            return {"next": following, **value}
        return value

    def _next(self, response: httpx2.Response, secrets: Secrets) -> Any:
        """Return the arguments that ask for the next page, or its address where they do not."""
        address = response.links.get("next", {}).get("url")
        if not address:
            return None
        try:
            query = httpx2.URL(address).params
        except httpx2.InvalidURL:
            return None
        arguments = {
            each.argument: _typed(query[each.name], each.schema)
            for each in self.inputs.each
            if each.location == "query" and each.name in query
        }
        return secrets.scrubbed(arguments or address)


def _typed(value: str, schema: Schema) -> Any:
    kinds = {kind for each in (schema, *schema.get("anyOf", ())) for kind in types(each)}
    wants_text = "string" in kinds or not kinds & {"integer", "number", "boolean"}
    return value if wants_text or not _SCALAR.fullmatch(value) else json.loads(value)


def _text(response: httpx2.Response, content: bytes) -> str:
    try:
        return content.decode(response.charset_encoding or "utf-8", errors="replace")
    except LookupError:
        return content.decode(errors="replace")


def _phrase(response: httpx2.Response) -> str:
    try:
        return HTTPStatus(response.status_code).phrase
    except ValueError:
        return ""


def _reason(said: str) -> str:
    """Return why, as far as an error's body says so."""
    try:
        return _line(_told(json.loads(said)))
    except (ValueError, RecursionError):
        title = _TITLE.search(said)
        return _line(html.unescape(title["title"])) if title else _line(said.strip().partition("\n")[0])


def _told(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(filter(None, map(_told, value[:_MOST_SAID])))
    if not isinstance(value, dict):
        return value if isinstance(value, str) else json.dumps(value)
    told = ": ".join(filter(None, (_told(value[key]) for key in _SAYING if value.get(key))))
    place = value.get("loc")  # FastAPI says so what is wrong with an argument
    if isinstance(place, list) and told:
        return f"{'.'.join(map(str, place))}: {told}"
    return told or json.dumps(value, ensure_ascii=False)


def _line(text: str) -> str:
    return brief(text, _LONGEST_REASON)
