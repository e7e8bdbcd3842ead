"""Which addresses are the same page, and which belong to a site."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge.sources.addresses import Scope, normalised
from agent.knowledge.sources.pages import read_page, wishes

BASE = "https://docs.example/manual/intro?x=1"


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("HTTPS://Docs.Example:443/a/../b/./c#part", "https://docs.example/b/c"),
        ("tent.html", "https://docs.example/manual/tent.html"),
        ("../../..//q?", "https://docs.example/q"),
        ("?page=2", "https://docs.example/manual/intro?page=2"),
        ("#part", BASE),
        (" /a b?q=a+b&c=%26 ", "https://docs.example/a%20b?q=a+b&c=%26"),
        ("/a?utm_source=x&b=2&fbclid=3&a=1&PHPSESSID=4", "https://docs.example/a?b=2&a=1"),
        ("größe", "https://docs.example/manual/gr%C3%B6%C3%9Fe"),
        ("/manual/%2E%2e/secret", "https://docs.example/secret"),
        ("//other.example", "https://other.example/"),
        ("http://docs.example/a/../..", "http://docs.example/"),
        ("mailto:ada@mail.example", None),
        ("javascript:void(0)", None),
        ("https://user:password@docs.example/", None),
        ("http://[::1", None),
        ("/" + "a" * 3000, None),
    ],
)
def test_an_address_has_one_form(link, address) -> None:
    assert normalised(link, BASE) == address
    if address:
        assert normalised(address) == address


@given(st.text(), st.one_of(st.none(), st.just(BASE)))
def test_any_text_is_an_address_or_none(text, base) -> None:
    address = normalised(text, base)
    if address:
        Scope.around(address).name(address)
        assert normalised(address) == address


def test_a_site_is_what_stands_beside_its_first_page_and_below() -> None:
    scope = Scope.around("https://docs.example/manual/intro?x=a/b")
    held = [
        "https://docs.example/manual/",
        "https://docs.example/manual/a/b?c",
        "https://docs.example/manual/intro?x=a/b",
    ]
    others = [
        "https://docs.example/",
        "https://docs.example/manual",
        "https://docs.example/manuals/a",
        "http://docs.example/manual/a",
        "https://docs.example:8443/manual/a",
        "https://docs.example.evil.example/manual/a",
    ]
    assert [address for address in held + others if scope.holds(address)] == held
    assert [scope.name(address) for address in held] == ["index.html", "a/b?c", "intro?x=a/b"]
    assert scope.name("https://docs.example/manual/gr%C3%B6%C3%9Fe%20x") == "größe x"
    assert scope.name("https://docs.example/manual/a%0Ab") == "a%0Ab"


PAGE = """<html><head><base href="/manual/deep/"><base href="/ignored/">
<link rel="CANONICAL" href="../tent"><meta name="Robots" content="NOINDEX, follow"></head><body>
<a href="a.html">A</a> <A HREF='a.html#part'>again</A> <a href="b.html" rel="external nofollow">B</a> <a name="x">x</a>
<map><area href="/c"></map> <a href="javascript:x()">J</a> <!-- <a href="d"> --> <script>"<a href='e'>"</script>
<a href="/ende"""


def test_a_page_says_where_its_links_lead_and_what_it_asks() -> None:
    page = read_page(PAGE.encode(), BASE)
    assert page.links == ["https://docs.example/manual/deep/a.html", "https://docs.example/c"]
    assert page.canonical == "https://docs.example/manual/tent"
    assert page.asks == {"noindex", "follow"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_links_are_read_in_the_encoding_of_the_page(encoding) -> None:
    html = '<html><head><meta charset="latin-1"></head><a href="größe">x</a>'
    if encoding == "utf-8":
        html = html.replace("latin-1", "utf-8")
    assert read_page(html.encode(encoding), BASE).links == ["https://docs.example/manual/gr%C3%B6%C3%9Fe"]


@given(st.binary() | st.text().map(str.encode))
def test_any_page_is_read(content) -> None:
    read_page(content, BASE)


@pytest.mark.parametrize(
    ("values", "asks"),
    [
        (["none"], {"none", "noindex", "nofollow"}),
        (["otherbot: noindex", "selfhelp: nofollow"], {"nofollow"}),
        (["noindex", "NoFollow,noarchive"], {"noindex", "nofollow", "noarchive"}),
        (["max-image-preview:large, noindex"], {"max-image-preview:large", "noindex"}),
        (["noindex, unavailable_after: 1 Jul 2030 15:00"], {"noindex", "unavailable_after: 1 jul 2030 15:00"}),
        (["selfhelp: max-snippet:-1, nofollow", "otherbot: max-snippet:5, noindex"], {"max-snippet:-1", "nofollow"}),
        ([], set()),
    ],
)
def test_wishes_count_that_are_for_all_or_for_this_crawler(values, asks) -> None:
    assert wishes(values) == asks
