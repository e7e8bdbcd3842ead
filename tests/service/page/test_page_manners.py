"""How the page behaves: in the dark, on a phone, without a mouse, without a connection, and where a key is wanted."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from agent.knowledge.ingest import SENT_AT_ONCE
from tests.support import embedding_server
from tests.support.chat_page import ask, opened, service_in
from tests.support.model_server import Reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(253, 252, 250)", "rgb(23, 25, 26)"
# Contrast of every text with what is behind it, by WCAG 2.
FAINT = """
() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const seen = (colours) => {
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255);
    };
    const light = (rgb) => rgb.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => element ? [...behind(element.parentElement), getComputedStyle(element).backgroundColor] : ["Canvas"];
    const faint = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        if (element.closest(":disabled, noscript")) continue;
        const ground = behind(element);
        const [a, b] = [light(seen(ground)), light(seen([...ground, getComputedStyle(element).color]))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < 4.5) faint.push(`${element.tagName}.${element.className}: ${contrast.toFixed(2)}`);
    }
    return faint;
}
"""


async def test_dark_colours_follow_the_system_and_then_the_person(page):
    assert await page.evaluate(GROUND) == LIGHT
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(GROUND) == DARK
    await page.get_by_role("button", name="Light colours").click()
    assert await page.evaluate(GROUND) == LIGHT
    await page.reload()
    assert await page.evaluate(GROUND) == LIGHT


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_every_text_can_be_read(page, model, colours):
    await page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    search = Reply(calls=[("search", {"query": "return label fee"}), ("getOrder", {"order_id": 9999})])
    model.will(search, "# Title\n\nText with `code`, a [link](https://example.com) and [1]\n\n> a quote.\n\n1. one")
    assert await page.evaluate(FAINT) == []
    await ask(page, "Show me https://example.com")
    await expect(page.locator(".usage")).to_be_visible()
    await page.locator(".plan > summary").click()
    await page.locator(".step summary").first.click()
    await page.get_by_role("button", name="Source 1").first.click()
    await expect(page.locator("mark")).to_be_visible()
    assert await page.evaluate(FAINT) == []
    model.will(Reply(calls=[("cancelOrder", {"order_id": 1041})]), "It stays.")
    await ask(page, "Cancel order 1041.")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_label("Arguments, as JSON").fill('{"order_id": 1042}')
    await expect(page.locator(".put-in")).to_be_visible()
    assert await page.evaluate(FAINT) == []
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Reject").click()
    await page.get_by_role("button", name="Reject").click()
    await expect(page.locator(".markdown").last).to_have_text("It stays.")


async def test_a_phone_shows_all_of_it_in_its_width(browser, service, model):
    phone = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = await opened(phone, service.url)
    model.will(
        f"{'Word' * 60}\n\n```\n{'code ' * 60}\n```\n\n| {' | '.join('abcdefgh')} |\n|{'-|' * 8}\n| {' | '.join(['cell'] * 8)} |"
    )
    await ask(page, "x" * 200)
    await expect(page.locator(".usage")).to_be_visible()
    wide = (
        "[document.documentElement, ...document.querySelectorAll('.scroll, .top, .composer')].map((e) => e.scrollWidth)"
    )
    assert await page.evaluate(wide) == [390] * 4
    await expect(page.get_by_role("navigation")).not_to_be_visible()
    await page.get_by_role("button", name="Open the history").click()
    await expect(page.get_by_role("navigation")).to_be_visible()
    await page.get_by_role("navigation").get_by_role("link", name="New conversation").click()
    await expect(page.locator(".welcome")).to_be_visible()
    await expect(page.get_by_role("navigation")).not_to_be_visible()
    await phone.close()


async def test_everything_is_reached_with_the_keyboard(page, model):
    model.will("Yes.")
    await expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    await page.keyboard.type("Is this")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("a keyboard?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".bubble")).to_have_text("Is this\na keyboard?")
    await expect(page.locator(".usage")).to_be_visible()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("keyboard")
    entry = page.locator(".entry a")
    await expect(entry).to_have_count(1)
    await page.keyboard.press("Tab")
    await expect(entry).to_be_focused()
    assert await entry.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_role("menuitem", name="Rename").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("About the keyboard")
    await page.keyboard.press("Enter")
    await expect(page).to_have_title("About the keyboard · Selfhelp")


async def test_a_conversation_is_deleted_after_a_question(page, model):
    model.will("Gone soon.")
    await ask(page, "Delete me, walrus.")
    await expect(page.locator(".usage")).to_be_visible()
    await page.get_by_role("button", name="Actions for Delete me, walrus.").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator(".welcome")).to_be_visible()
    await expect(page.get_by_role("link", name="Delete me, walrus.")).to_have_count(0)


async def test_an_answer_is_judged_and_corrected(page, service, model):
    model.will("14 days.")
    await ask(page, "How long?")
    await page.get_by_role("button", name="Bad answer").click()
    await page.get_by_label("What is wrong with it?").fill("the number")
    await page.get_by_label("What should the answer have been?").fill("30 days.")
    await page.get_by_role("button", name="Send", exact=True).first.click()
    await expect(page.get_by_text("Thank you. It was kept.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")


async def test_a_document_is_uploaded_indexed_and_deleted(page, service):
    await page.get_by_role("button", name="Documents", exact=True).click()
    file = {"name": "otters.md", "mimeType": "text/markdown", "buffer": b"# Otters\n\nOtters hold hands.\n"}
    await page.locator(".drop input").set_input_files(file)
    entry = page.locator(".document", has_text="otters.md")
    await expect(entry).to_contain_text("1 passage")
    await entry.get_by_role("button", name="Actions for otters.md").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(entry).to_have_count(0)


async def test_a_document_that_takes_long_shows_how_far_it_is(tmp_path, browser, model, shop):
    sections = SENT_AT_ONCE + 7
    text = "\n\n".join(f"# Section {n}\n\nIt says {n}.\n" for n in range(sections)).encode()
    with embedding_server.serve() as embedding, service_in(tmp_path, model, str(shop.client.base_url)) as service:
        service.environment["SELFHELP_KNOWLEDGE__EMBEDDER"] = "compatible:test"
        service.environment["SELFHELP_BASE_URL"] = embedding.url
        service.start()
        window = await browser.new_context()
        page = await window.new_page()
        await page.goto(service.url)
        await page.get_by_role("button", name="Documents", exact=True).click()
        file = {"name": "long.md", "mimeType": "text/markdown", "buffer": text}
        await page.locator(".drop input").set_input_files(file)
        entry = page.locator(".document", has_text="long.md")
        await expect(entry).to_contain_text(f"0 of {sections} passages")
        await expect(entry.get_by_role("progressbar", name="Indexing long.md")).to_have_attribute("max", str(sections))
        embedding.answer_all()
        await expect(entry).to_contain_text(f"· {sections} passages")
        await expect(entry.get_by_role("progressbar")).to_have_count(0)
        await window.close()


async def test_a_lost_connection_is_told_and_the_question_kept(page, window, model):
    await window.set_offline(True)
    await ask(page, "Can you hear me?")
    await expect(page.get_by_role("alert")).to_contain_text("You are offline")
    await window.set_offline(False)
    model.will("Yes.")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".markdown")).to_have_text("Yes.")


async def test_a_key_is_asked_for_kept_for_the_tab_and_given_up(tmp_path, browser, model, shop):
    with service_in(tmp_path, model, str(shop.client.base_url)) as service:
        key = service.new_key("ann")
        service.start()
        window = await browser.new_context()
        page = await window.new_page()
        await page.goto(service.url)
        dialog = page.get_by_role("dialog", name="Sign in")
        await dialog.get_by_label("Access key").fill("shk_wrong_wrong")
        await page.keyboard.press("Enter")
        await expect(dialog).to_contain_text("not accepted")
        await dialog.get_by_label("Access key").fill(key)
        await page.keyboard.press("Enter")
        model.will("Hello, Ann.")
        await ask(page, "Who am I?")
        await expect(page.locator(".markdown")).to_have_text("Hello, Ann.")
        await page.reload()
        await expect(page.locator(".markdown")).to_have_text("Hello, Ann.")
        assert key not in str(await window.storage_state())
        await page.get_by_role("button", name="Sign out").click()
        await expect(dialog).to_be_visible()
        await window.close()
