"""An answer's sources for clients that know OpenAI's protocol only: annotations, and a list under the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import BaseModel, Field

from agent.addresses import Addresses
from agent.links import LinkCheck
from agent.state import Source
from agent.untrusted import quoted_line
from service.places import place_of

_CITATION = re.compile(r"\[(?P<numbers>[0-9]{1,4}(?:, [0-9]{1,4})*)\]")
_LIST = re.compile(r"\n\nSources:\n\n(?:- \[[0-9]{1,4}\] [^\n]*(?:\n|\Z))+\Z")


class UrlCitation(BaseModel):
    """Where a citation stands in the text, and what it leads to."""

    start_index: int = Field(description="Its first character in the content.", examples=[23])
    end_index: int = Field(description="The character behind it.", examples=[26])
    title: str = Field(description="Title of the document and the heading.", examples=["Returns › Time"])
    url: str = Field(description="Path or address of the document.", examples=["docs/returns.md"])


class Annotation(BaseModel):
    """A citation, as OpenAI's web search writes them."""

    type: Literal["url_citation"] = Field("url_citation", description="Its kind.", examples=["url_citation"])
    url_citation: UrlCitation = Field(description="The citation.")


def citations(text: str, sources: Iterable[Source]) -> Iterator[UrlCitation]:
    """Yield the citations that stand in a text, in order.

    Args:
        text: the answer.
        sources: what it cites.
    """
    known = {source["number"]: source for source in sources}
    for found in _CITATION.finditer(text):
        for number in map(int, found["numbers"].split(", ")):
            if number in known:
                source = known[number]
                yield UrlCitation(
                    start_index=found.start(), end_index=found.end(), title=_title(source), url=source["uri"]
                )


def listed(sources: Iterable[Source]) -> str:
    """Return the list of sources that stands under an answer, or nothing where it cites none.

    Titles come from documents, so no link or image of theirs is let through.

    Args:
        sources: what the answer cites.
    """
    nowhere = Addresses()
    lines = [
        f"- [{source['number']}] {LinkCheck(nowhere).whole(f'{_title(source)} ({_place(source)})')}"
        for source in sources
    ]
    return "\n\nSources:\n\n" + "\n".join(lines) if lines else ""


def without_list(text: str) -> str:
    """Return an answer without the list of sources under it."""
    return _LIST.sub("", text)


def _title(source: Source) -> str:
    return quoted_line(" › ".join(filter(None, (source["title"], source["heading"]))))


def _place(source: Source) -> str:
    return quoted_line(place_of(source))
