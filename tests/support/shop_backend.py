"""The example shop's backend as a server in a process of its own, which can be killed and started again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from examples.shop import orders
from examples.shop.ledger import effects, prepare
from tests.support.processes import REPOSITORY, free_port

_DEADLINE = 120.0


class Backend:
    """The backend's process over a database, and a client of it."""

    def __init__(self, database: Path, token: str | None = None) -> None:
        self.database = database
        self.token = token
        self.log = database.with_suffix(".log")
        self.start()

    def start(self) -> None:
        port = str(free_port())
        command = [sys.executable, "-m", "examples.shop.backend", "--database", str(self.database), "--port", port]
        environment = {name: value for name, value in os.environ.items() if name != "SHOP_TOKEN"}
        if self.token:
            environment["SHOP_TOKEN"] = self.token
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=100)
        self.until_ready()

    def until_ready(self) -> None:
        deadline = time.monotonic() + _DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx2.TransportError):
                self.client.get("/openapi.json")
                return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def begin_anew(self) -> None:
        """Put back what the shop began with: no effects, full stock, nothing refunded. No request may be under way."""
        orders.create(self.database)
        prepare(self.database)

    def kill(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()

    def send(self, method: str, path: str, content: Any = None, key: str | None = None) -> httpx2.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.request(method, path, json=content, headers=headers)

    def get(self, path: str, **query: str | int) -> Any:
        response = self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def balance(self, customer: int) -> float:
        return float(self.get(f"/customers/{customer}")["balance"])

    def keys(self) -> list[str | None]:
        return [effect.key for effect in effects(self.database)]


def assert_problem(response: httpx2.Response, status: int, detail: str) -> None:
    """Check that a response is a problem document of this status, and that its detail has these words."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.keys() == {"status", "title", "detail"}
    assert problem["status"] == status
    assert problem["title"]
    assert detail in problem["detail"]
