"""Numbers that a browser would round: the page shows the digits that the service has, and sends those."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.chat_page import ask, opened, service_in
from tests.support.model_server import Reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCOUNT = 1234567890123456789
TRANSFER = ("createTransfer", {"account": ACCOUNT, "amount": 7.0})
SPECIFICATION = {
    "openapi": "3.1.0",
    "info": {"title": "Bank", "version": "1"},
    "paths": {
        "/transfers": {
            "post": {
                "operationId": "createTransfer",
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"account": {"type": "integer"}, "amount": {"type": "number"}},
                            }
                        }
                    }
                },
                "responses": {"201": {"description": "The transfer"}},
            }
        }
    },
}


@dataclass
class Bank:
    """An API whose accounts have long numbers. It answers with what it was sent."""

    url: str
    transfers: list[str] = field(default_factory=list)


@contextmanager
def bank_open() -> Iterator[Bank]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, json.dumps(SPECIFICATION).encode())

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            bank.transfers.append(sent.decode())
            self.answer(201, sent)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        bank = Bank(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield bank
        server.shutdown()
        thread.join()


@pytest.fixture
def bank() -> Iterator[Bank]:
    with bank_open() as bank:
        yield bank


@pytest_asyncio.fixture(loop_scope="session")
async def page(tmp_path, window, model, bank) -> AsyncIterator[Page]:
    with service_in(tmp_path, model, bank.url) as service:
        service.start()
        page = await opened(window, service.url)
        yield page
        assert page.troubles == []  # type: ignore[attr-defined]


async def test_a_long_number_is_shown_and_sent_with_all_its_digits(page, model, bank):
    model.will(Reply(calls=[TRANSFER]), "It is sent.")
    await ask(page, "Transfer 7 EUR.")
    card = page.get_by_role("group", name="Waiting for your decision")
    await expect(card.locator("pre")).to_contain_text(f'"account": {ACCOUNT},\n  "amount": 7.0\n')
    await card.get_by_role("button", name="Edit", exact=True).click()
    arguments = page.get_by_label("Arguments, as JSON")
    await expect(arguments).to_have_value(f'{{\n  "account": {ACCOUNT},\n  "amount": 7.0\n}}')
    await page.reload()  # then it comes with the thread, and not with an event
    await card.get_by_role("button", name="Edit", exact=True).click()
    await expect(arguments).to_have_value(f'{{\n  "account": {ACCOUNT},\n  "amount": 7.0\n}}')
    await arguments.fill(f'{{"account": {ACCOUNT}, "amount": 1.50}}')
    await expect(page.locator(".put-in")).to_have_text('+   "amount": 1.50\n')
    await page.get_by_role("button", name="Approve with these").click()
    await expect(page.locator(".markdown")).to_have_text("It is sent.")
    [transfer] = bank.transfers
    assert json.loads(transfer) == {"account": ACCOUNT, "amount": 1.5}
    await page.get_by_text("1 step").click()
    await page.locator(".step summary").click()
    told = await page.locator(".step pre").all_inner_texts()
    assert told
    assert all(str(ACCOUNT) in each for each in told)


async def test_a_browser_that_would_round_shows_what_is_sent_and_offers_no_editing(page, model, bank):
    await page.add_init_script("delete JSON.rawJSON; delete JSON.isRawJSON;")
    await page.reload()
    model.will(Reply(calls=[TRANSFER]), "It is sent.")
    await ask(page, "Transfer 7 EUR.")
    card = page.get_by_role("group", name="Waiting for your decision")
    await expect(card.locator("pre")).to_contain_text(str(ACCOUNT))
    await expect(card.get_by_role("button", name="Edit", exact=True)).to_have_count(0)
    await card.get_by_role("button", name="Approve").click()
    await expect(page.locator(".markdown")).to_have_text("It is sent.")
    [transfer] = bank.transfers
    assert json.loads(transfer) == {"account": ACCOUNT, "amount": 7}
