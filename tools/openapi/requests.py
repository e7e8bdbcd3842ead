"""The HTTP request that a call makes, as it is sent and as a person is shown it."""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import httpx2
from langchain_core.tools import ToolException

from tools.openapi.credentials import Secrets
from tools.openapi.inputs import PLACEHOLDER, Body, Input, Inputs

if TYPE_CHECKING:
    from fastmcp.utilities.openapi import HTTPRoute, ParameterInfo
    from fastmcp.utilities.openapi.director import RequestDirector

_HEADERS = {"User-Agent": "selfhelp", "Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip"}
# What would end a value and begin another header or cookie.
_ENDS = {"header": "\0\r\n", "cookie": "\0\r\n;"}
_UNSHOWN = {"host", "content-length", *(name.lower() for name in _HEADERS)}
_DATA = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+?)*?(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL)


@dataclass(frozen=True)
class Requests:
    """Makes the requests of one operation.

    Args:
        method: HTTP method.
        path: path template.
        base_url: what it is relative to.
        inputs: the arguments.
        key_header: header of the idempotency key.
    """

    method: str
    path: str
    base_url: str
    inputs: Inputs
    key_header: str

    def request(self, args: Mapping[str, Any], key: str | None = None) -> httpx2.Request:
        """Return the request for arguments, without credentials.

        Args:
            args: the arguments.
            key: idempotency key.

        Raises:
            ToolException: it cannot be made of them.
        """
        known = {each.argument for each in self.inputs.each}
        if unknown := [name for name in args if name not in known]:
            raise ToolException(f"there is no argument {', '.join(map(repr, unknown))}")
        given = [(each, args[each.argument]) for each in self.inputs.each if each.argument in args]
        try:
            request = self._built(given)
        except (ValueError, TypeError, KeyError, httpx2.InvalidURL) as error:
            raise ToolException(f"no request can be made of the arguments: {error}") from None
        for name, value in (_HEADERS | ({self.key_header: key} if key else {})).items():
            request.headers[name] = value
        return request

    def preview(self, args: Mapping[str, Any], secrets: Secrets, key: str | None = None) -> str:
        """Return the request for arguments as text.

        Args:
            args: the arguments.
            secrets: what is shown in the place of credentials.
            key: idempotency key.
        """
        request = self.request(args, key)
        url = str(request.url)
        for name, value in secrets.query.items():
            url += f"{'&' if '?' in url else '?'}{name}={value}"
        headers = {name.title(): value for name, value in request.headers.items() if name not in _UNSHOWN}
        lines = [f"{name}: {value}" for name, value in {**headers, **secrets.headers}.items()]
        content = request.read().decode(errors="replace")
        return "\n".join([f"{request.method} {url}", *lines, *(["", content] if content else [])])

    def _built(self, given: list[tuple[Input, Any]]) -> httpx2.Request:
        flat: dict[str, Any] = {}
        places: dict[str, dict[str, str]] = {}
        for each, value in given:
            if each.location == "body" or value is None:
                continue
            for name, text in _spread(each, value):
                flat[f"{each.location} {name}"] = text
                places[f"{each.location} {name}"] = {"location": each.location, "openapi_name": name}
        body = self.inputs.body
        content = _content(body, given) if body else None
        multipart = body is not None and body.media_type.lower().startswith("multipart/")
        if content is not None and not multipart:
            flat["body"] = content
            places["body"] = {"location": "body", "openapi_name": "body"}
        route = self._route.model_copy(update={"parameter_map": places})
        request = director().build(route, flat, self.base_url)
        if fixed := parse_qsl(urlsplit(self.path).query, keep_blank_values=True):
            filled = {name: PLACEHOLDER.sub(lambda found: flat[f"path {found[1]}"], value) for name, value in fixed}
            request.url = request.url.copy_merge_params(filled)
        if not multipart or content is None:
            return request
        return httpx2.Request(request.method, request.url, headers=_without_type(request), files=content)

    @cached_property
    def _route(self) -> HTTPRoute:
        from fastmcp.utilities.openapi import HTTPRoute, RequestBodyInfo

        body = self.inputs.body
        described = RequestBodyInfo(required=body.required, content_schema={body.media_type: {}}) if body else None
        query = [_query_parameter(each) for each in self.inputs.each if each.location == "query"]
        path = self.path.partition("?")[0]  # some documents tell operations apart by a query in the path
        return HTTPRoute(path=path, method=self.method.upper(), parameters=query, request_body=described)


@cache
def director() -> RequestDirector:
    """Return what builds requests. Importing it takes half a second: call it in a thread first."""
    from fastmcp.utilities.openapi.director import RequestDirector
    from jsonschema_path import SchemaPath

    return RequestDirector(SchemaPath.from_dict({}))


def _query_parameter(each: Input) -> ParameterInfo:
    from fastmcp.utilities.openapi import ParameterInfo

    explode = each.source.get("explode")
    style = each.source.get("style")
    return ParameterInfo(
        name=each.name,
        location="query",
        schema={},
        style=style,
        explode=explode if isinstance(explode, bool) else style in ("form", "deepObject"),
    )


def _without_type(request: httpx2.Request) -> dict[str, str]:
    own = ("host", "content-type", "content-length")
    return {name: value for name, value in request.headers.items() if name not in own}


def _spread(each: Input, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a parameter's name and value as the director takes them: texts, lists of texts and flat objects."""
    if each.source.get("json"):
        yield each.name, _json(value)
    elif each.location == "query" and each.source.get("style") == "deepObject" and isinstance(value, Mapping):
        yield from _deep(each.name, value)
    elif each.location == "query" and isinstance(value, list):
        yield each.name, [text(item) for item in value]
    elif each.location == "query" and isinstance(value, Mapping):
        yield each.name, {name: text(item) for name, item in value.items()}
    else:
        written = _simple(value, "=" if each.source.get("explode") is True else ",")
        if wrong := sorted(set(written).intersection(_ENDS.get(each.location, ""))):
            raise ValueError(f"{each.argument} is a {each.location}, which cannot hold {', '.join(map(repr, wrong))}")
        if each.location == "path" and not written:
            raise ValueError(f"{each.argument} is empty, and the path would lead elsewhere")
        yield each.name, written


def _simple(value: Any, between: str) -> str:
    """Write a value as a path or a header holds it."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}{between}{text(item)}" for name, item in value.items())
    return ",".join(map(text, value)) if isinstance(value, list) else text(value)


def _deep(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _deep(f"{name}[{key}]", item)
    elif isinstance(value, list):
        yield name, [text(item) for item in value]
    elif value is not None:
        yield name, text(value)


def text(value: Any) -> str:
    """Write a value as it stands in an address, a header or a form."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _content(body: Body, given: list[tuple[Input, Any]]) -> Any:
    parts = {each.name: value for each, value in given if each.location == "body"}
    if not parts:
        return {} if body.required else None
    media_type = body.media_type.lower()
    if "" in parts:
        value = parts[""]
        if "" in body.files:
            return _file("", value)[1]
        return text(value) if media_type.startswith("text/") else value
    if media_type.startswith("multipart/"):
        return list(_multipart(body, parts))
    if media_type.startswith("application/x-www-form-urlencoded"):
        return dict(field for name, value in parts.items() for field in _form(body, name, value))
    json.dumps(parts, allow_nan=False)
    return parts


def _form(body: Body, name: str, value: Any) -> Iterator[tuple[str, Any]]:
    encoding = body.encoding.get(name)
    encoding = encoding if isinstance(encoding, Mapping) else {}
    if encoding.get("style") == "deepObject":
        yield from _deep(name, value)
    elif isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        items = [text(item) for item in value]
        yield name, ",".join(items) if encoding.get("explode") is False else items
    elif value is not None:
        yield name, text(value)


def _multipart(body: Body, parts: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for name, value in parts.items():
        plain = isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)
        for item in value if plain else [value]:
            if name in body.files:
                yield name, _file(name, item)
            elif isinstance(item, dict | list):
                yield name, (None, _json(item), "application/json")
            elif item is not None:
                yield name, (None, text(item))


def _file(name: str, value: Any) -> tuple[str, bytes, str]:
    written = text(value)
    match = _DATA.fullmatch(written)
    if not match:
        return f"{name or 'file'}.txt", written.encode(), "text/plain"
    kind = match["type"] or "application/octet-stream"
    try:
        content = base64.b64decode(match["data"], validate=True) if match["base64"] else unquote_to_bytes(match["data"])
    except binascii.Error:
        raise ValueError(f"the file {name!r} is no valid base64") from None
    return f"{name or 'file'}{mimetypes.guess_extension(kind) or ''}", content, kind
