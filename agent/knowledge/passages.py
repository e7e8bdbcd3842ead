"""Passages as they are handed on: with their neighbours, and within a budget of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from agent.knowledge.chunks import NEWLINE
from agent.knowledge.lookup import Placed
from agent.knowledge.words import telling
from agent.state import Passage

CHARACTERS_PER_TOKEN = 4

_HEADINGS = re.compile(r"(?:#.*\n+)*")
_SENTENCE_END = re.compile(r"[.!?…](?=\s)|[。！？]|\n\s*\n")  # noqa: RUF001 - full-width marks end sentences too


def joined(passages: Sequence[Passage], around: Callable[[str], list[Placed]]) -> list[Passage]:
    """Return passages grown by their neighbours, those that then meet made one; a better one gives place and score.

    Args:
        passages: passages, the best first.
        around: returns a passage's surroundings by its id, itself included, in the document's order.
    """
    grown: list[Passage] = []
    seen: set[str] = set()
    for passage in passages:
        if passage.id in seen:
            continue
        places = [place for place in around(passage.id) if place.passage.id not in seen]
        seen |= {place.passage.id for place in places}
        grown.append(_merged(passage, places) if places else passage)
    return grown


def _merged(passage: Passage, places: Sequence[Placed]) -> Passage:
    """Return a passage with its neighbours in it. What two of them repeat stands there once."""
    text, end = "", places[0].start
    for before, place in pairwise([places[0], *places]):
        gap = _gap(before.passage, place.passage) if place.start > end else ""
        text += gap + place.passage.text[max(0, end - place.start) :]
        end = max(end, place.end)
    first, last = places[0].passage, places[-1].passage
    return passage.model_copy(
        update={"text": text, "first_line": first.first_line, "last_line": last.last_line, "page": first.page}
    )


def _gap(before: Passage, after: Passage) -> str:
    """Return the blanks between two passages of a document, with as many line ends as stand there."""
    if before.last_line is None or after.first_line is None:
        return "\n\n"
    return "\n" * (after.first_line - before.last_line) or " "


def within(passages: Sequence[Passage], tokens: int) -> list[Passage]:
    """Return as many of the passages as a budget allows, of which the last may end early, behind a sentence.

    Args:
        passages: passages, the best first. The first is given even where not one sentence of it fits.
        tokens: the budget, at 4 characters a token.
    """
    left = tokens * CHARACTERS_PER_TOKEN
    kept: list[Passage] = []
    for passage in passages:
        if len(passage.text) <= left:
            kept.append(passage)
            left -= len(passage.text)
            continue
        body = _HEADINGS.match(passage.text)
        assert body, "the expression matches the empty beginning"
        ends = [match.end() for match in _SENTENCE_END.finditer(passage.text, body.end(), max(left, body.end()))]
        if ends or not kept:
            kept.append(_shortened(passage, ends[-1] if ends else max(left, 1)))
        break
    return kept


def telling_sentences(text: str, query: str, most: int) -> str:
    """Return the sentences of a text that hold most of a query's words, in their order, with "…" where others stood.

    Headings stay. Of sentences that hold as many, the earlier ones are taken.

    Args:
        text: the text.
        query: what it was found with.
        most: how many sentences to keep.
    """
    body = _HEADINGS.match(text)
    assert body, "the expression matches the empty beginning"
    sentences, start = [], body.end()
    for end in (*(match.end() for match in _SENTENCE_END.finditer(text, start)), len(text)):
        if text[start:end].strip():  # an empty line stands before the next one
            sentences.append(text[start:end])
            start = end
    if len(sentences) <= most:
        return text
    wanted = {word.casefold() for word in telling(query)}
    held = [len(wanted & {word.casefold() for word in telling(sentence)}) for sentence in sentences]
    best = sorted(sorted(range(len(sentences)), key=lambda place: -held[place])[:most])
    gaps = ["" if place == before + 1 else "…" if before < 0 else " …" for before, place in pairwise([-1, *best])]
    kept = "".join(f"{gap}{sentences[place]}" for gap, place in zip(gaps, best, strict=True))
    return body[0] + kept.rstrip() + (" …" if best[-1] + 1 < len(sentences) else "")


def _shortened(passage: Passage, end: int) -> Passage:
    text = passage.text[:end].rstrip()
    last_line = passage.first_line and passage.first_line + len(NEWLINE.findall(text))
    return passage.model_copy(update={"text": text, "last_line": last_line})
