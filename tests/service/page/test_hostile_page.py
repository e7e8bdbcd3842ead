"""Hostile answers and documents in the page: nothing of theirs runs, and nothing is asked of anybody else."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.chat_page import ask
from tests.support.model_server import Reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

# {at} is a stranger's address.
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='{at}/html.png'>",
    "![seen]({at}/markdown.png)",
    "![seen][1]\n\n[1]: {at}/reference.png",
    "[press](javascript:alert(1))",
    "[press](JaVaScRiPt&colon;alert(1))",
    "[press](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "<a href='vbscript:x' onclick='alert(1)'>press</a>",
    "<svg onload=alert(1)><animate onbegin=alert(1) attributeName=x dur=1s></svg>",
    "<iframe src='{at}/frame.html'></iframe><object data='{at}/object'></object>",
    "<style>@import '{at}/style.css'; body {{ display: none }}</style>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form action='{at}'><input name=x autofocus onfocus=alert(1)></form>",
    "<b class=citation data-number=1 style='background: url({at}/b.png)'>1</b>",
    "| a |\n|-|\n| <img src='{at}/cell.png' onerror=alert(1)> |",
    "```html\n<script>alert(1)</script>\n```",
    "<base href='{at}/'><link rel=stylesheet href='{at}/link.css'><meta http-equiv=refresh content='0;url={at}'>",
]
DRAWN = """
async (text) => {
    const at = document.querySelector("script[type=module]").src;
    const { Markdown } = await import(new URL("markdown.js", at));
    const { html, render } = await import(new URL("html.js", at));
    document.querySelector("#drawn")?.remove();
    const place = document.body.appendChild(document.createElement("div"));
    place.id = "drawn";
    render(html`<${Markdown} text=${text} onCite=${() => {}} />`, place);
    const loaded = (image) => image.complete || new Promise((done) => (image.onload = image.onerror = done));
    const images = [...place.querySelectorAll("img")];
    images.forEach((image) => (image.loading = "eager"));
    await Promise.all(images.map(loaded));
}
"""
LEFT_OVER = """
() => {
    const all = [...document.querySelectorAll("#drawn *")];
    const tags = "script style iframe object embed svg math form input base link meta template".toUpperCase().split(" ");
    const acting = (element) => [...element.attributes].filter(({ name, value }) =>
        name.startsWith("on") || name === "style" || (name === "href" && !/^(https?|mailto):/.test(value)));
    return [
        ...all.filter((element) => tags.includes(element.tagName.toUpperCase())).map((element) => element.tagName),
        ...all.flatMap(acting).map(({ name, value }) => `${name}=${value}`),
    ];
}
"""


async def test_no_answer_brings_code_or_asks_others(page, stranger):
    left = {}
    for text in HOSTILE:
        await page.evaluate(DRAWN, text.format(at=stranger.url))
        left[text] = await page.evaluate(LEFT_OVER)
    assert left == {text: [] for text in HOSTILE}
    assert stranger.asked == []


async def test_links_of_answers_tell_the_other_side_nothing(page):
    await page.evaluate(DRAWN, "[a](https://example.com/a) [b](mailto:b@example.com) [c](/api/me) [d](#d)")
    links = page.locator("#drawn a[href]")
    await expect(links).to_have_text(["a", "b"])
    for link in await links.all():
        assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
        assert await link.get_attribute("target") == "_blank"


async def test_a_hostile_answer_is_shown_as_the_text_it_is(page, model, stranger):
    everything = "\n\n".join(text.format(at=stranger.url) for text in HOSTILE)
    model.will(f"Look:\n\n{everything}\n\nStill here.")
    await ask(page, "What does the document say?")
    await expect(page.locator(".usage")).to_be_visible()
    await expect(page.locator(".markdown")).to_contain_text("Still here.")
    await expect(page).to_have_title("What does the document say? · Selfhelp")
    assert stranger.asked == []


async def test_a_hostile_document_is_shown_as_the_text_it_is(page, model):
    model.will(Reply(calls=[("search", {"query": "zebra stripes"})]), "It has stripes [1].")
    await ask(page, "What about the zebra?")
    await page.get_by_role("button", name="Source 1").first.click()
    await expect(page.locator("mark")).to_contain_text("<script>document.title = 'taken'</script>")
    await expect(page.locator(".side script, .side iframe, .side img")).to_have_count(0)
    await expect(page).to_have_title("What about the zebra? · Selfhelp")
