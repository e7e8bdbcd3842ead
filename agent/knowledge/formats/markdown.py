"""Markdown: headings, blocks, and the items and rows within them."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from agent.knowledge.chunks import LONGEST_HEADING, NEWLINE, Heading, Outline, first_line, line_starts, shortened

_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")
_INLINE = MarkdownIt("commonmark")
# A parser compiles its rules with its first text, and threads that come meanwhile would see half of them.
for _parser in (_BLOCKS, _INLINE):
    _parser.parse("x")

# Inline Markdown can be made slow to parse, and a heading is shortened anyway.
_LONGEST_PARSED = 10 * LONGEST_HEADING
_FRONT_MATTER = re.compile(r"---[ \t]*[\r\n]+(?=[\w-]+:).*?[\r\n](?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:(.*)$", re.MULTILINE)


def outline(document: str) -> Outline:
    """Return a Markdown document's structure."""
    front = _FRONT_MATTER.match(document)
    matter = front[0] if front else ""
    lines_of_matter = len(NEWLINE.findall(matter))
    lines = line_starts(document)
    headings = [Heading(0, lines[lines_of_matter], 0, "")]
    blocks, parts = [], []
    tokens = _BLOCKS.parse("\n" * lines_of_matter + document[len(matter) :])
    for number, token in enumerate(tokens):
        if token.map is None or token.nesting < 0:
            continue
        start, end = (lines[line] for line in token.map)
        if token.level:
            parts.append(start)
        elif token.type == "heading_open":
            headings.append(Heading(start, end, int(token.tag[1:]), _plain(tokens[number + 1].content)))
        else:
            blocks.append(start)
    titled = _FRONT_TITLE.search(matter)
    front_title = shortened(_unquoted(titled[1].strip())) if titled else ""
    titles = [front_title, *(heading.text for heading in headings), first_line(document)]
    return Outline(next(filter(None, titles), ""), headings, [blocks, parts])


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in ("'", '"') and value[1:].endswith(value[0]) else value


def _plain(markdown: str) -> str:
    """Return a heading's words without their markup."""
    [inline] = _INLINE.parseInline(markdown[:_LONGEST_PARSED])
    return shortened("".join(token.content or " " * (token.type == "softbreak") for token in inline.children or ()))
