"""A real Chroma server on loopback, and a guard that lets nobody to it without a token."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2

from tests.support.processes import free_port

_DEADLINE = 120.0


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Run `chroma run` on a free port and give its address.

    Args:
        folder: its working directory and where it keeps the vectors and its log.
    """
    port = str(free_port())
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder / "data")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process, folder / "server.log")
        yield url
    finally:
        process.kill()
        process.wait()


@contextmanager
def guard(server: str, token: str) -> Iterator[str]:
    """Run a proxy in front of a server and give its address; what comes without the token it answers with 401."""

    class Guard(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers["Authorization"] != f"Bearer {token}":
                self._answer(401, b"{}")
                return
            kind = {"Content-Type": "application/json"}
            answer = httpx2.request(self.command, server + self.path, content=body, headers=kind)
            self._answer(answer.status_code, answer.content)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the names are http.server's

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Guard) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}"
        finally:
            proxy.shutdown()
            thread.join()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _DEADLINE
    while process.poll() is None and time.monotonic() < end:
        try:
            httpx2.get(f"{url}/api/v2/heartbeat").raise_for_status()
        except httpx2.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"chroma run did not start: {log.read_text(errors='replace')}")
