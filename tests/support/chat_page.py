"""The chat page in a real Chromium, against the service in a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import BrowserContext, Page, expect

from tests.support.model_server import ModelServer
from tests.support.processes import SELFHELP, environment, free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DEADLINE = 120.0

expect.set_options(timeout=30_000)

DOCUMENTS = {
    "returns.md": "# Returns\n\n## How long you have\n\nYou can return an item within 30 days of delivery.\n\n"
    "## Return fee\n\nThe prepaid return label costs 4.90 EUR per parcel.\n\n## Stores\n\nA store takes it back for free.\n",
    "hostile.md": "# Zebra notes\n\nZebra <script>document.title = 'taken'</script><img src=x onerror=\"alert(1)\"> stripes "
    "</mark><iframe src='https://example.com'></iframe> javascript:alert(1).\n",
}
SETTINGS = """
data_dir = "data"
model = "compatible:scripted"
base_url = "{model}"

[knowledge]
sources = ["docs"]
embedder = "none"

[[apis]]
name = "shop"
spec = "{shop}/openapi.json"
"""


@dataclass
class Service:
    """The service in a process of its own, in a folder of its own."""

    folder: Path
    environment: dict[str, str]
    port: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        if not self.port:
            self.port = free_port()
        command = [SELFHELP, "serve", "--port", str(self.port)]
        with (self.folder / "service.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        self.processes.append(process)
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx2.TransportError):
                httpx2.get(f"{self.url}healthz")
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "service.log").read_text())

    def new_key(self, owner: str) -> str:
        made = json.loads(self.selfhelp("keys", "create", "--owner", owner, "--json"))
        return str(made["key"])

    def end(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(DEADLINE)
        self.processes.clear()

    def selfhelp(self, *arguments: str) -> str:
        command = [SELFHELP, *arguments]
        done = subprocess.run(
            command, check=False, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def service_in(folder: Path, model: ModelServer, shop: str) -> Iterator[Service]:
    """Give a service over the documents above, the shop's API and the scripted model."""
    (folder / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text)
    (folder / "selfhelp.toml").write_text(SETTINGS.format(model=model.url, shop=shop))
    service = Service(folder, environment() | {"LANGGRAPH_STRICT_MSGPACK": "true", "LANGSMITH_TRACING": "false"})
    try:
        yield service
    finally:
        service.end()


@dataclass
class Stranger:
    """A server elsewhere, which nothing may ask."""

    port: int
    asked: list[str]

    @property
    def url(self) -> str:
        # Another host than the service's, though the same machine.
        return f"http://localhost:{self.port}"


@contextmanager
def stranger_listening() -> Iterator[Stranger]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Stranger(server.server_address[1], asked)
        server.shutdown()
        thread.join()


async def opened(window: BrowserContext, url: str) -> Page:
    """Open the page and note what goes wrong in it."""
    page = await window.new_page()
    troubles: list[str] = []
    page.troubles = troubles  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: troubles.append(str(error)))

    async def refuse(dialog: Any) -> None:
        troubles.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    page.on("dialog", lambda dialog: asyncio.ensure_future(refuse(dialog)))
    await page.goto(url)
    await expect(page.get_by_role("textbox", name="Your question")).to_be_visible()
    await expect(page.locator(".personas")).to_be_visible()
    return page


async def ask(page: Page, text: str) -> None:
    """Write a question and send it."""
    await page.get_by_role("textbox", name="Your question").fill(text)
    await page.keyboard.press("Enter")
