"""Approvals in the page: the exact request is shown, and the shop sees what the person decided."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.chat_page import ask
from tests.support.model_server import Reply

pytestmark = pytest.mark.asyncio(loop_scope="session")


def refund(amount):
    return ("createRefund", {"order_id": 1042, "amount": amount, "reason": "Arrived damaged"})


async def test_from_a_question_to_an_approved_write(page, model, shop):
    model.will(Reply(calls=[refund(5.25)]), "5.25 EUR were refunded.")
    refunds = len(shop.keys())
    await ask(page, "Refund 5.25 EUR of order 1042.")
    card = page.get_by_role("group", name="Waiting for your decision")
    await expect(card.locator(".request-line")).to_have_text(f"POST {shop.client.base_url}/refunds")
    await expect(card.locator("pre")).to_contain_text('"amount": 5.25')
    assert len(shop.keys()) == refunds
    await page.reload()
    await card.get_by_role("button", name="Approve").click()
    await expect(page.locator(".markdown")).to_have_text("5.25 EUR were refunded.")
    await expect(card).to_have_count(0)
    assert len(shop.keys()) == refunds + 1


async def test_an_edited_write_is_sent_as_edited_and_shows_what_changed(page, model, shop):
    model.will(Reply(calls=[refund(7)]), "Done.")
    customer = shop.get("/orders/1042")["customer_id"]
    balance = shop.balance(customer)
    await ask(page, "Refund 7 EUR of order 1042.")
    await page.get_by_role("button", name="Edit", exact=True).click()
    arguments = page.get_by_label("Arguments, as JSON")
    await arguments.fill("{")
    await expect(page.get_by_role("button", name="Approve with these")).to_be_disabled()
    await arguments.fill('{"order_id": 1042, "amount": 1.5, "reason": "Arrived damaged"}')
    await expect(page.locator(".taken-out")).to_contain_text('"amount": 7')
    await expect(page.locator(".put-in")).to_contain_text('"amount": 1.5')
    await page.get_by_role("button", name="Approve with these").click()
    await expect(page.locator(".markdown")).to_have_text("Done.")
    assert shop.balance(customer) == pytest.approx(balance + 1.5)


async def test_several_writes_are_decided_at_once(page, model, shop):
    told = []
    note = Reply(text="One of them.", check=lambda body: told.append(str(body["messages"])))
    model.will(Reply(calls=[refund(1), refund(2)]), note)
    refunds = len(shop.keys())
    await ask(page, "Refund 1 EUR and 2 EUR of order 1042.")
    writes = page.locator(".write")
    await expect(writes).to_have_count(2)
    await expect(page.get_by_role("button", name="Continue")).to_be_disabled()
    await writes.nth(0).get_by_role("button", name="Reject").click()
    await writes.nth(0).get_by_label("Why not?").fill("the other is enough")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Approve the rest").click()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator(".markdown")).to_have_text("One of them.")
    assert len(shop.keys()) == refunds + 1
    assert "the other is enough" in told[0]
