import pytest

from agent.knowledge.formats import Unreadable, split

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Returns | Acme</title><style>p {}</style><script>track()</script></head>
<body><nav>Menu</nav><main>
<h1>Returns</h1>
<p>Send it <b>back</b>. See <a href="https://acme.example/fees">the fees</a> or <a href="/local">here</a>.</p>
<h2>Fees</h2>
<p><img src="x.png" alt="picture">snake_case and 2 * 3</p>
<table><tr><th>Zone</th><th>Fee</th></tr><tr><td>1</td><td>4.90 EUR</td></tr></table>
<pre><code>curl  -X POST
  /returns</code></pre>
</main><aside>Related</aside><footer>Imprint</footer></body></html>"""


def text_of(page: str) -> str:
    return "\n".join(chunk.text for chunk in split(page.encode(), "page.html", "html"))


def test_a_page_becomes_markdown_under_its_headings() -> None:
    intro, fees = split(PAGE.encode(), "page.html", "html")
    assert (intro.title, intro.heading, fees.heading) == ("Returns", "", "Fees")
    assert intro.text == "# Returns\n\nSend it **back**. See [the fees](https://acme.example/fees) or here."
    assert "snake_case and 2 * 3" in fees.text
    assert "| Zone | Fee |\n| --- | --- |\n| 1 | 4.90 EUR |" in fees.text
    assert "```\ncurl  -X POST\n  /returns\n```" in fees.text
    assert {chunk.first_line or chunk.last_line or chunk.page for chunk in (intro, fees)} == {None}


def test_what_stands_around_the_text_is_dropped() -> None:
    text = text_of(PAGE)
    assert not any(word in text for word in ["Menu", "Related", "Imprint", "track", "p {}", "picture", "| Acme"])


@pytest.mark.parametrize(
    "unseen",
    [
        "<p hidden>secret</p>",
        '<p aria-hidden="true">secret</p>',
        '<div style="color: red; Display : none !important"><p>secret</p></div>',
        '<p style="visibility:hidden">secret</p>',
        '<p style="opacity:0">secret</p>',
        '<p style="font-size:0px">secret</p>',
        "<!-- secret -->",
        f"<!-- {' ' * 100} secret -->",
        "<![CDATA[ secret ]]>",
        "<?php secret ?>",
        "<template>secret</template>",
        "<noscript>secret</noscript>",
        '<div hidden><p style="display:none">secret</p></div>',
        '<img alt="secret">',
        '<a href="javascript:secret()">open</a>',
    ],
)
def test_what_a_person_cannot_see_is_dropped(unseen: str) -> None:
    text = text_of(f"<p>before</p>{unseen}<p>after</p>")
    assert "secret" not in text
    assert "before" in text
    assert "after" in text


@pytest.mark.parametrize("style", ["opacity: 0.9", "font-size: 0.9em", "display: block"])
def test_what_a_person_can_see_is_kept(style: str) -> None:
    assert text_of(f'<p style="{style}">seen</p>') == "seen"


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>Name of the page</title><p>text", "Name of the page"),
        ("<title>Site</title><h1>One</h1>text<h1>Two</h1>", "Site"),
        ("<title>a\u200bb\u202e</title>text", "ab"),
        ("<title>Site</title><h1><img alt=logo></h1>text", "Site"),
        ("<h1>Only a heading</h1>text", "Only a heading"),
        ("<p>text", "text"),
    ],
)
def test_title(page: str, title: str) -> None:
    assert split(page.encode(), "page.html", "html")[0].title == title


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ('<meta charset="iso-8859-2"><p>Příliš'.encode("iso-8859-2"), None),
        ('<meta charset="ascii"><p>Příliš'.encode("iso-8859-2"), "iso-8859-2"),
        ("<p>Příliš".encode(), None),
        ("<?xml version='1.0' encoding='utf-8'?><html><p>Příliš</p></html>".encode(), None),
    ],
)
def test_the_charset_may_be_declared(content: bytes, charset: str | None) -> None:
    assert split(content, "page.html", "html", charset=charset)[0].text == "Příliš"


def test_tags_that_are_never_closed_do_not_nest() -> None:
    rows = "".join(f"<tr><td>{n}<td>value" for n in range(2000))
    assert "| 1999 | value |" in text_of(f"<table>{rows}</table>")
    assert text_of("<p>paragraph" * 2000).count("paragraph") >= 2000


def test_a_page_nested_too_deeply_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="nested too deeply"):
        text_of("<div>" * 5000 + "text")


@pytest.mark.parametrize(
    "page", ['<a b="' * 20000, "<!--" * 20000, f"<p>a{' ' * 200_000}b", f"<p>a{'&#32;' * 50_000}b", "<a\n" * 20000]
)
def test_hostile_pages_are_read_in_time(page: str) -> None:
    text_of(page)
