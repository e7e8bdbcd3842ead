"""What an HTML page says to a crawler: where its links lead, and whether it may be indexed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser

from agent.knowledge.sources.addresses import normalised
from agent.knowledge.sources.robots import AGENT

# Wishes that have a colon too.
_HAVE_VALUES = {"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"}


@dataclass
class Page:
    """What is said about a page, in it and in the headers of its answer.

    Args:
        links: normalised addresses that it links to, each once, in the page's order.
        canonical: normalised address of the page that it is a copy of, where it names one.
        asks: the site's wishes: `noindex`, `nofollow`.
    """

    links: list[str] = field(default_factory=list)
    canonical: str | None = None
    asks: set[str] = field(default_factory=set)


def read_page(content: bytes, address: str) -> Page:
    """Read what an HTML page says to a crawler.

    Args:
        content: the page.
        address: its normalised address.
    """
    from bs4 import UnicodeDammit

    text = UnicodeDammit(content, is_html=True).unicode_markup or content.decode(errors="replace")
    reader = _Reader()
    reader.feed(text)
    base = normalised(reader.base, address) or address
    links = (normalised(link, base) for link in dict.fromkeys(reader.links))
    canonical = normalised(reader.canonical, base) if reader.canonical else None
    return Page(list(dict.fromkeys(link for link in links if link)), canonical, wishes(reader.wishes))


def wishes(values: Iterable[str]) -> set[str]:
    """Read `robots` metas and X-Robots-Tag headers; `none` is `noindex, nofollow`.

    Args:
        values: such as "noindex, nofollow", for another crawler "otherbot: noindex".
    """
    said: set[str] = set()
    for value in values:
        before, colon, after = value.lower().partition(":")
        is_agent = colon and "," not in before and before.strip() not in _HAVE_VALUES
        if not is_agent or before.strip() == AGENT:
            said |= {word.strip() for word in (after if is_agent else value.lower()).split(",")}
    return said | {"noindex", "nofollow"} if "none" in said else said


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base = ""
        self.canonical = ""
        self.wishes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        link, relation = given.get("href", "").strip(), given.get("rel", "").lower().split()
        if tag in ("a", "area") and link and "nofollow" not in relation:
            self.links.append(link)
        elif tag == "base":
            self.base = self.base or link
        elif tag == "link" and "canonical" in relation:
            self.canonical = self.canonical or link
        elif tag == "meta" and given.get("name", "").lower() in ("robots", AGENT):
            self.wishes.append(given.get("content", ""))
