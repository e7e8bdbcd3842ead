"""HTML and SVG written as function calls: whatever is not markup already is escaped, so that no text can become any."""

from __future__ import annotations

from html import escape

from agent.untrusted import visible

# Elements that have no end tag.
_VOID = {"meta", "br", "hr"}
# Nothing in a page may load or run anything, whatever got into it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: object) -> Markup:
    """Write an element.

    Args:
        name: its name.
        children: what is in it; what is not `Markup` is text.
        attributes: its attributes. An underscore at the end is dropped, others become hyphens; None leaves one out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(visible(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in _VOID else f"</{name}>"
    return Markup(f"<{name}{given}>{joined(*children)}{end}")


def joined(*parts: str) -> Markup:
    """Put parts behind each other; what is not `Markup` is text."""
    return Markup("".join(part if isinstance(part, Markup) else escape(visible(part)) for part in parts))


def page(title: str, style: str, *parts: str) -> str:
    """Write a whole page, which needs nothing from anywhere else.

    Args:
        title: its title and first heading.
        style: its style sheet.
        parts: what stands below the heading.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width"),
        element("title", title),
        element("style", Markup(style)),
    )
    return f"<!doctype html>\n{element('html', head, element('body', element('h1', title), *parts), lang='en')}\n"
