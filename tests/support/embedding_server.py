"""A server of embeddings as OpenAI's: a request is answered when the test lets it be."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class EmbeddingServer:
    """The server.

    Args:
        port: where it listens.
        allowed: how many more requests it answers.
        open: whether it answers all.
    """

    port: int
    allowed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Base address, as clients are given it."""
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, requests: int) -> None:
        """Answer so many requests."""
        self.allowed.release(requests)

    def answer_all(self) -> None:
        """Answer whatever is asked from now on."""
        self.open.set()
        self.answer(1)

    def wait(self) -> None:
        """Wait until one request may be answered."""
        self.allowed.acquire()
        if self.open.is_set():
            self.answer(1)


@contextmanager
def serve() -> Iterator[EmbeddingServer]:
    """Run a server for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            server.wait()
            data = [{"object": "embedding", "index": n, "embedding": [1.0, 0.0]} for n in range(len(texts))]
            usage = {"prompt_tokens": 0, "total_tokens": 0}
            body = json.dumps({"object": "list", "model": "test", "data": data, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):  # who asked has ended
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = EmbeddingServer(listening.server_port)
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.answer_all()
            listening.shutdown()
            thread.join()
