"""Asking in the page: the answer streams, its sources open, and neither a reload nor another tab loses any of it."""

from __future__ import annotations

import asyncio
import re
import threading

import pytest
from playwright.async_api import expect

from tests.support.chat_page import ask, opened
from tests.support.model_server import Reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEARCH = Reply(calls=[("search", {"query": "return label fee"})])
WORDS = "one two three four five six seven eight nine ten eleven twelve"


async def test_a_citation_opens_the_passage_marked_in_its_document(page, model):
    model.will(SEARCH, "The label costs **4.90 EUR** [1].")
    await ask(page, "What does the return label cost?")
    answer = page.get_by_role("article", name="Assistant")
    await expect(answer.locator("strong")).to_have_text("4.90 EUR")
    await expect(answer.locator(".usage")).to_contain_text("tokens in")
    await expect(page).to_have_title("What does the return label cost? · Selfhelp")
    await answer.get_by_role("button", name="Source 1").first.click()
    side = page.get_by_role("complementary", name="Source 1")
    await expect(side.locator("mark")).to_contain_text("The prepaid return label costs 4.90 EUR per parcel.")
    await expect(side.locator(".path")).to_contain_text("Return fee")
    await expect(side).to_contain_text("returns.md, line")
    await expect(side.locator(".passage")).to_contain_text("A store takes it back for free.")


async def test_what_nothing_bears_out_is_marked_and_told(page, model):
    model.will(SEARCH, "The label costs **5.90 EUR** [1], and Klarna takes it.")
    await ask(page, "What does the return label cost?")
    answer = page.get_by_role("article", name="Assistant")
    doubts = answer.get_by_role("list", name="To be doubted").get_by_role("listitem")
    await expect(doubts).to_have_text(
        ["Klarna: in no passage, result or question", "5.90 EUR: in no passage, result or question"]
    )
    await expect(answer.locator(".markdown mark")).to_have_text(["5.90 EUR", "Klarna"])
    await expect(answer.get_by_role("button", name="Source 1").first).to_be_visible()


async def test_a_doubt_about_a_number_leaves_citations_and_longer_numbers_alone(page, model):
    model.will(SEARCH, "The label costs **4.90 EUR** [1]; I counted 1 parcel, 1.5 of 21-7 (3).")
    await ask(page, "What does the return label cost?")
    answer = page.get_by_role("article", name="Assistant")
    await expect(answer.locator(".markdown mark")).to_have_text(["1", "1.5", "21", "7", "3"])
    await expect(answer.locator(".markdown .citation")).to_have_text(["1"])


async def test_the_plan_tells_each_step_with_its_arguments(page, model):
    model.will(Reply(calls=[("calculator", {"expression": "19.9 * 3"})]), "It is 59.7.")
    await ask(page, "How much is 19.90 times 3?")
    await page.get_by_text("1 step").click()
    step = page.locator(".step.finished")
    await step.locator("summary").click()
    await expect(step.locator("code")).to_have_text("calculator")
    await expect(step.locator("pre").first).to_contain_text('"expression": "19.9 * 3"')


async def test_what_was_unfolded_of_the_plan_stays_so_when_the_answer_is_there(page, model):
    gate = threading.Event()
    model.will(Reply(calls=[("calculator", {"expression": "19.9 * 3"})]), Reply(text="It is 59.7.", gate=gate))
    await ask(page, "How much is 19.90 times 3?")
    await page.get_by_text("1 step").click()
    await page.locator(".live .step.finished summary").click()
    await expect(page.locator(".live .step pre").first).to_be_visible()
    gate.set()
    await expect(page.locator(".usage")).to_be_visible()
    await expect(page.locator(".live")).to_have_count(0)
    await expect(page.locator(".step pre").first).to_be_visible()


async def test_a_reload_in_mid_stream_goes_on_without_loss_or_repetition(page, model):
    gate = threading.Event()
    model.will(Reply(text=WORDS, gate=gate))
    await ask(page, "Count to twelve.")
    await expect(page.locator(".live .markdown")).to_contain_text("eleven")
    await page.reload()
    await expect(page.locator(".live .markdown")).to_contain_text("eleven")
    await expect(page.locator(".bubble")).to_have_text("Count to twelve.")
    gate.set()
    await expect(page.locator(".usage")).to_be_visible()
    await expect(page.locator(".markdown")).to_have_text(WORDS)
    await expect(page.locator(".message")).to_have_count(2)


async def test_another_tab_follows_the_same_answer(page, window, service, model):
    gate = threading.Event()
    model.will(Reply(text=WORDS, gate=gate))
    await ask(page, "Count to twelve.")
    await expect(page.locator(".live .markdown")).to_contain_text("eleven")
    other = await opened(window, service.url)
    await other.get_by_role("link", name="Count to twelve.").first.click()
    await expect(other.locator(".live .markdown")).to_contain_text("eleven")
    gate.set()
    for tab in (page, other):
        await expect(tab.locator(".usage")).to_be_visible()
        await expect(tab.locator(".markdown")).to_have_text(WORDS)
    model.will("It was nothing.")
    await ask(other, "Thank you.")
    await expect(page.locator(".markdown").last).to_have_text("It was nothing.")


async def test_escape_stops_the_answer_and_what_was_said_can_be_asked_again(page, model):
    gate = threading.Event()
    model.will(Reply(text=WORDS, gate=gate))
    await ask(page, "Count to twelve.")
    await expect(page.locator(".live .markdown")).to_contain_text("three")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    await expect(page.locator(".live")).to_have_count(0)
    await expect(page.locator(".markdown")).to_contain_text("one two three")
    await expect(page.get_by_text("Stopped.")).to_be_visible()
    gate.set()
    model.will("Gladly.")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".markdown")).to_have_text(["Gladly."])
    await expect(page.get_by_text("Stopped.")).to_have_count(0)


async def test_a_question_during_an_answer_can_be_queued(page, model):
    gate = threading.Event()
    model.will(Reply(text=WORDS, gate=gate), "It is 4.")
    await ask(page, "Count to twelve.")
    await expect(page.locator(".live .markdown")).to_contain_text("three")
    await ask(page, "And two and two?")
    await page.get_by_role("button", name="Ask next").click()
    await expect(page.get_by_text("Comes next")).to_be_visible()
    gate.set()
    await expect(page.locator(".markdown").last).to_have_text("It is 4.")
    await expect(page.get_by_text("Comes next")).to_have_count(0)
    await expect(page.locator(".bubble")).to_have_text(["Count to twelve.", "And two and two?"])


async def test_a_question_while_the_answer_before_is_read_again_stays_in_view(page, model):
    gate, read, free = threading.Event(), asyncio.Event(), asyncio.Event()
    model.will("One.", Reply(text=WORDS, gate=gate))

    async def late(route):
        response = await route.fetch()
        read.set()
        await free.wait()
        await route.fulfill(response=response)

    await page.route(re.compile("/api/threads/[0-9a-f]+$"), late, times=1)
    await ask(page, "How many are you?")
    await read.wait()
    await ask(page, "Count to twelve.")
    await expect(page.locator(".live .markdown")).to_contain_text("eleven")
    free.set()
    await expect(page.locator(".usage")).to_have_count(1)
    await expect(page.locator(".bubble")).to_have_text(["How many are you?", "Count to twelve."])
    await expect(page.locator(".live .markdown")).to_contain_text("eleven")
    gate.set()
    await expect(page.locator(".markdown")).to_have_text(["One.", WORDS])


async def test_an_edited_question_is_asked_in_a_conversation_of_its_own(page, model):
    model.will("Blue.", "Green.")
    await ask(page, "What colour is the sky?")
    await expect(page.locator(".usage")).to_be_visible()
    before = page.url
    await page.get_by_role("button", name="Edit and ask again").click()
    await page.locator(".editing textarea").fill("What colour is grass?")
    await page.get_by_role("button", name="Ask again").click()
    await expect(page.locator(".markdown")).to_have_text("Green.")
    await expect(page.locator(".bubble")).to_have_text("What colour is grass?")
    assert page.url != before
    await page.go_back()
    await expect(page.locator(".markdown")).to_have_text("Blue.")


async def test_a_model_that_cannot_be_reached_is_named(page, model):
    model.will(Reply(status=401))
    await ask(page, "Are you there, zebra?")
    await expect(page.locator(".degraded")).to_be_visible()


async def test_an_answer_begins_anew_when_the_service_has_to(page, service, model):
    gate = threading.Event()
    model.will(Reply(text=WORDS, gate=gate), "All over again.")
    await ask(page, "Count to twelve.")
    await expect(page.locator(".live .markdown")).to_contain_text("eleven")
    await asyncio.to_thread(service.end)
    gate.set()
    await expect(page.get_by_text("The connection is lost.")).to_be_visible()
    await asyncio.to_thread(service.start)
    await expect(page.locator(".usage")).to_be_visible()
    await expect(page.locator(".markdown")).to_have_text("All over again.")
    await expect(page.locator(".message")).to_have_count(2)
