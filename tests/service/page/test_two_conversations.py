"""Going from one conversation to another in the page: what is asked in one happens and fails there, and nowhere else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.chat_page import ask
from tests.support.model_server import Reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNAVAILABLE = {"status": 503, "json": {"error": {"message": "Not now.", "code": "unavailable"}}}
BUSY = {"status": 409, "json": {"error": {"message": "It is busy.", "code": "busy"}}}


@dataclass
class Held:
    """Requests that wait on their way, and are then answered so, or else by the service."""

    method: str
    answer: dict[str, Any] | None
    urls: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, route: Route) -> None:
        if route.request.method != self.method:
            await route.fallback()
            return
        self.urls.append(route.request.url)
        self.reached.set()
        await self.free.wait()
        await (route.fulfill(**self.answer) if self.answer else route.fallback())


async def held(page: Page, pattern: str, method: str = "POST", answer: dict[str, Any] | None = None) -> Held:
    requests = Held(method, answer)
    await page.route(pattern, requests)
    return requests


async def made(page: Page, title: str) -> str:
    """Make a conversation, and return its id."""
    threads = page.url.partition("#")[0] + "api/threads"
    made = await (await page.request.post(threads, data={})).json()
    await page.request.patch(f"{threads}/{made['id']}", data={"title": title})
    return str(made["id"])


async def go(page: Page, thread: str) -> None:
    await page.evaluate("id => (location.hash = id)", thread)


async def gone(page: Page, thread: str, title: str) -> None:
    """Go to a conversation, and wait until it is open."""
    await go(page, thread)
    await expect(page.get_by_role("heading", level=1)).to_have_text(title)


@pytest.mark.parametrize("answer", [UNAVAILABLE, BUSY], ids=["unavailable", "busy"])
async def test_a_question_that_fails_is_not_told_in_the_conversation_opened_meanwhile(page, answer):
    first, second = await made(page, "First"), await made(page, "Second")
    await gone(page, first, "First")
    asking = await held(page, f"**/threads/{first}/runs", answer=answer)
    await ask(page, "Delete my account.")
    await asking.reached.wait()
    await gone(page, second, "Second")
    asking.free.set()
    await expect(page.get_by_role("status")).to_contain_text("“Delete my account.” was not asked")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_conversation_that_begins_throws_nobody_back_who_went_to_another(page, model):
    model.will("Hello.")
    other = await made(page, "Other")
    beginning = await held(page, "**/api/threads")
    await ask(page, "Is anybody there, walrus?")
    await beginning.reached.wait()
    await gone(page, other, "Other")
    beginning.free.set()
    begun = page.get_by_role("link", name="Is anybody there, walrus?")
    await expect(begun).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Other")
    assert page.url.endswith(f"#{other}")
    await begun.click()
    await expect(page.locator(".markdown")).to_have_text("Hello.")


async def test_a_suggestion_that_is_pressed_twice_is_asked_once(page, model):
    model.will("With many things.")
    beginning = await held(page, "**/api/threads")
    asking = await held(page, "**/api/threads/*/runs")
    asking.free.set()
    await page.get_by_role("button", name="What can you help me with?").dblclick()
    beginning.free.set()
    await expect(page.locator(".markdown")).to_have_text("With many things.")
    await expect(page.get_by_role("alert")).to_have_count(0)
    assert (len(beginning.urls), len(asking.urls)) == (1, 1)


async def test_a_question_during_the_opening_of_a_conversation_is_asked_there(page, model):
    model.will("Yes.")
    thread = await made(page, "Slow")
    opening = await held(page, f"**/api/threads/{thread}", "GET")
    await go(page, thread)
    await opening.reached.wait()
    await ask(page, "Is it this one?")
    opening.free.set()
    await expect(page.locator(".markdown")).to_have_text("Yes.")
    await expect(page.locator(".bubble")).to_have_text("Is it this one?")
    assert page.url.endswith(f"#{thread}")


async def test_an_edited_question_leaves_whoever_went_to_another_conversation_there(page, model):
    model.will("Blue.", "Green.")
    await ask(page, "What colour is the sky?")
    await expect(page.locator(".usage")).to_be_visible()
    other = await made(page, "Other")
    beginning = await held(page, "**/api/threads")
    await page.get_by_role("button", name="Edit and ask again").click()
    await page.locator(".editing textarea").fill("What colour is a gecko?")
    await page.get_by_role("button", name="Ask again").click()
    await beginning.reached.wait()
    await gone(page, other, "Other")
    beginning.free.set()
    await expect(page.get_by_role("link", name="What colour is a gecko?")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Other")


async def test_a_decision_that_fails_is_not_asked_for_in_another_conversation(page, model):
    model.will(Reply(calls=[("createRefund", {"order_id": 1042, "amount": 1, "reason": "Late"})]))
    other = await made(page, "Other")
    await ask(page, "Refund 1 EUR of order 1042.")
    card = page.get_by_role("group", name="Waiting for your decision")
    deciding = await held(page, "**/decisions", answer=UNAVAILABLE)
    await card.get_by_role("button", name="Approve").click()
    await deciding.reached.wait()
    await gone(page, other, "Other")
    deciding.free.set()
    await expect(page.get_by_role("status")).to_contain_text("Not now.")
    await expect(card).to_have_count(0)


async def test_an_error_of_a_process_counts_no_more_when_another_has_answered(page, model):
    model.will("All is well.")
    told = "event: error\ndata: " + '{"message": "The database cannot be written now.", "code": "unavailable"}\n\n'
    await page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=told), times=1)
    await ask(page, "How are you?")
    await expect(page.locator(".usage")).to_be_visible()
    await expect(page.locator(".markdown")).to_have_text("All is well.")
    await expect(page.get_by_role("alert")).to_have_count(0)
