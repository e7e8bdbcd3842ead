from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tools.openapi import Api, ApiSettings, load_api


@dataclass
class Request:
    """A request as the server got it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What the server answers."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class ApiServer:
    """An API on loopback that records requests, and answers each path as told."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Answer | Callable[[Request], Answer]] = field(default_factory=dict)

    @property
    def last(self) -> Request:
        return self.requests[-1]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    state = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            state.requests.append(request)
            answer = state.answers.get(request.path, Answer())
            answer = answer(request) if callable(answer) else answer
            self.send_response(answer.status)
            content = b"" if answer.status == 204 else answer.content
            for name, value in {"content-type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815 - as the base class calls them

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    state.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def load(server: ApiServer, tmp_path: Path) -> Callable[..., Any]:
    """Load the API of a document that says only what matters: its paths, in YAML."""

    async def loaded(paths: str, *, version: str = "3.1.0", **settings: Any) -> Api:
        document = tmp_path / "openapi.yaml"
        document.write_text(f"openapi: {version}\ninfo: {{title: T, version: '1'}}\n{paths}", encoding="utf-8")
        given = {"base_url": server.url} if "servers:" not in paths else {}
        return await load_api(ApiSettings(**{"name": "shop", "spec": str(document), **given, **settings}))

    return loaded
