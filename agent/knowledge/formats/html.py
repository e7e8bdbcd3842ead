"""HTML: what a person sees of it, as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.knowledge.chunks import shortened
from agent.knowledge.formats.converted import Converted
from agent.knowledge.formats.decoding import decoded
from agent.knowledge.formats.errors import readable

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

# What is no part of the text: what the browser runs, and what stands around the text on every page of a site.
_ASIDE = ["script", "style", "template", "noscript", "iframe", "svg", "canvas", "nav", "footer", "aside", "dialog"]
_UNSEEN_STYLE = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|opacity:0(?:\.0*)?|font-size:0\w*)(?:!|;|$)"
)
# markdownify takes minutes over 100 KB of blanks.
_LONG_BLANK = re.compile(r"[^\S\n]{80,}")
_XML_DECLARATION = re.compile(r"\A\s*<\?xml.*?\?>", re.DOTALL)


def convert(content: bytes, charset: str | None) -> Converted:
    """Return what a web page says.

    Args:
        content: the file.
        charset: the encoding that it was sent with, None where nothing was said.

    Raises:
        Unreadable: it is no HTML, or nested too deeply.
    """
    with readable("it is no HTML that can be read: open it in a browser and save it again"):
        from bs4.dammit import EncodingDetector

        declared = charset or EncodingDetector.find_declared_encoding(content, is_html=True)
        return converted(decoded(content, declared))


def converted(page: str) -> Converted:
    """Return what the text of a web page says."""
    from bs4 import BeautifulSoup
    from bs4.element import PreformattedString  # comments and the like

    # Beautiful Soup warns of XML, and of a single line that could be a file's name or an address.
    soup = BeautifulSoup(_XML_DECLARATION.sub("", page, count=1) + "\n", "lxml")
    for element in soup.find_all(_is_unseen):
        element.decompose()
    for string in soup.find_all(string=_LONG_BLANK):
        if not isinstance(string, PreformattedString):
            string.replace_with(_LONG_BLANK.sub(" ", string))
    main = soup.find("main")
    body = main if main and main.get_text(strip=True) else soup
    headings = body.find_all("h1")
    titles = [*(headings if len(headings) == 1 else []), *soup.find_all("title")]
    title = next(filter(None, (shortened(element.get_text()) for element in titles)), "")
    if soup.title:
        soup.title.decompose()
    return Converted(title, [_markdown(body)])


def _is_unseen(element: Tag) -> bool:
    if element.name in _ASIDE or element.has_attr("hidden") or element.get("aria-hidden") == "true":
        return True
    style = "".join(str(element.get("style", "")).lower().split())
    return bool(_UNSEEN_STYLE.search(style))


def _markdown(body: Tag | BeautifulSoup) -> str:
    """Return Markdown without pictures, and with links only to where a reader can follow them."""
    from markdownify import ATX, MarkdownConverter

    class Converter(MarkdownConverter):
        def convert_a(self, element: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002  # given by name
            address = str(element.get("href", "")).strip()
            words = text.strip()
            followed = address.startswith(("http://", "https://")) and address != words and words
            return text.replace(words, f"[{words}]({address})") if followed else text

        def convert_img(self, _element: Tag, _text: str, parent_tags: set[str]) -> str:  # noqa: ARG002  # the same
            return ""

    converter = Converter(
        heading_style=ATX,
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
    )
    return str(converter.convert_soup(body)).strip()
