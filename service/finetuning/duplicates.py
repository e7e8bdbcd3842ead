"""Examples that say the same: word for word, or nearly."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

NEARLY = 0.9
SHINGLE_WORDS = 3

_WORD = re.compile(r"\w+")


def normalised(example: Mapping[str, Any]) -> str:
    """Return what people and the assistant say in an example, without case, punctuation and spacing.

    Args:
        example: an example; malformed messages count as saying nothing.
    """
    messages = example.get("messages")
    said = [_said(message) for message in messages] if isinstance(messages, list) else []
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", "\n".join(said)).casefold()))


def near_duplicates(texts: Sequence[str], share: float = NEARLY) -> Iterator[tuple[int, int]]:
    """Yield pairs of texts, the earlier first, whose runs of three words are the same to at least a share (Jaccard).

    Only texts with one of their first runs, in one fixed order, in common are compared: prefix filtering, which leaves
    out no pair (Bayardo, Ma and Srikant: Scaling up all pairs similarity search, 2007).

    Args:
        texts: normalised texts.
        share: what counts as nearly the same, from 0 to 1.
    """
    sets = [_shingles(text) for text in texts]
    having: dict[int, list[int]] = defaultdict(list)
    for place, shingles in enumerate(sets):
        prefix = sorted(shingles)[: len(shingles) - int(share * len(shingles)) + 1]
        candidates = dict.fromkeys(other for shingle in prefix for other in having[shingle])
        for other in candidates:
            if len(shingles & sets[other]) >= share * len(shingles | sets[other]):
                yield other, place
        for shingle in prefix:
            having[shingle].append(place)


def _said(message: object) -> str:
    if not isinstance(message, Mapping) or message.get("role") not in ("user", "assistant"):
        return ""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    arguments = [str(each.get("arguments")) for each in functions if isinstance(each, Mapping)]
    return "\n".join([str(message.get("content") or ""), *arguments])


def _shingles(text: str) -> set[int]:
    words = text.split()
    runs = range(max(1, len(words) - SHINGLE_WORDS + 1))
    # A checksum is the same in every process, so the same pairs are found in the same order.
    return {crc32(" ".join(words[start : start + SHINGLE_WORDS]).encode()) for start in runs}
