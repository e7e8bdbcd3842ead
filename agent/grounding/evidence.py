"""What an answer may rest on: passages, results and what people said, from the turn back to the thread's beginning."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.grounding import names
from agent.grounding.dates import Key
from agent.grounding.names import Mark
from agent.grounding.numbers import numbers
from agent.state import Source, sources_of

# Characters of one text that are read as numbers and names. In the rest it is only looked whether words stand there.
LONGEST_READ = 100_000
# Characters of a thread that are read.
MOST_READ = 1_000_000
FEWEST_CELLS = 4
# Results are taken apart down to so many values.
MOST_VALUES = 20_000


class Given:
    """A text that an answer may rest on, with what it bears out.

    Args:
        text: the text.
        asked: whether a person said it: that may be repeated, and makes nothing true.
    """

    def __init__(self, text: str, *, asked: bool = False) -> None:
        self.text = text
        self.asked = asked
        self._read = _cells_apart(text[:LONGEST_READ])

    @cached_property
    def keys(self) -> set[Key]:
        """Keys of the numbers in it."""
        return {key for number in numbers(names.masked(self._read, self._marks)) for key in number.gives}

    @cached_property
    def words(self) -> set[str]:
        """The words in it."""
        return names.words(self._read)

    @cached_property
    def numbered(self) -> dict[str, set[str]]:
        """Numbers that stand behind words."""
        return names.numbered(self._read)

    @cached_property
    def _marks(self) -> list[Mark]:
        return names.marks(self._read)

    @cached_property
    def _mark_keys(self) -> set[str]:
        return {mark.key for mark in self._marks}

    @cached_property
    def _phones(self) -> list[str]:
        return [mark.key for mark in self._marks if mark.kind == "phone"]

    @cached_property
    def _folded(self) -> str:
        return self.text.casefold()

    def holds(self, mark: Mark) -> bool:
        """Whether an address, number or code stands in it."""
        if mark.kind == "phone":
            local = mark.key.lstrip("0")
            return any(phone.endswith(local) or local.endswith(phone.lstrip("0")) for phone in self._phones)
        return mark.key in self._mark_keys or mark.text.casefold() in self._folded

    def says(self, text: str) -> bool:
        """Whether it holds a text beyond what is read of it."""
        return len(self.text) > LONGEST_READ and text in self.text


class Evidence:
    """All that an answer may rest on. What is nearest is looked at first, and nothing is read that need not be.

    Args:
        messages: the thread, without the answer.
        own: other texts that may be repeated, such as the persona's.
    """

    def __init__(self, messages: Sequence[AnyMessage], own: Iterable[str] = ()) -> None:
        self.sources = {number: Given(passage(source)) for number, source in sources_of(messages).items()}
        self._coming = chain(_texts(messages), map(Given, own))
        self._seen: list[Given] = []

    def others(self) -> Iterator[Given]:
        """Yield what people said and what tools gave, the latest first."""
        yield from self._seen
        for given in self._coming:
            self._seen.append(given)
            yield given

    def all(self, besides: Collection[int] = ()) -> Iterator[Given]:
        """Yield every text, the latest first, as long as there are not too many of them."""
        left = MOST_READ
        passages = (given for number, given in reversed(self.sources.items()) if number not in besides)
        for texts in (self.others(), passages):
            for given in texts:
                left -= min(len(given.text), LONGEST_READ)
                if left < 0:
                    return
                yield given


def passage(source: Source) -> str:
    """Return a passage as it is read: with its title, and with the headings above it."""
    return f"{source['title']}\n{source['heading']}\n{source['document']}\n{source['text']}"


def _cells_apart(text: str) -> str:
    """Return a text with the rows of CSV in it once more, their cells apart: "2300,46 x 15 cm" is no 2300.46."""
    rows = [line for line in text.splitlines() if line.count(",") - line.count(", ") >= FEWEST_CELLS - 1]
    return "\n".join((text, *(row.replace(",", " , ") for row in rows)))


def _texts(messages: Sequence[AnyMessage]) -> Iterator[Given]:
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            yield Given(str(message.text), asked=True)
        elif isinstance(message, ToolMessage) and not sources_of([message]):
            yield Given(_result(message))
        elif isinstance(message, AIMessage) and not message.tool_calls:
            yield Given(_unflagged(message))


def _unflagged(answer: AIMessage) -> str:
    """Return an earlier answer without what was flagged in it: saying a thing twice does not make it true."""
    text = str(answer.text)
    for flag in answer.response_metadata.get("flags", ()):
        if flag["kind"] == "unsupported":
            return ""
        text = text.replace(flag["text"], "·") if flag["text"] else text
    return text


def _result(message: ToolMessage) -> str:
    """Write a result in lines of names and values, with how many there are of each list."""
    if isinstance(message.artifact, dict) and "value" in message.artifact:
        value = message.artifact["value"]
    else:
        try:
            value = json.loads(str(message.text))
        except (ValueError, RecursionError):
            return str(message.text)
    return "\n".join(_lines(value))


def _lines(value: Any) -> Iterator[str]:
    left: list[tuple[str, Any]] = [("", value)]
    for _ in range(MOST_VALUES):
        if not left:
            return
        name, value = left.pop()
        if isinstance(value, dict):
            left += [(str(key), each) for key, each in value.items()]
        elif isinstance(value, list):
            yield f"{name}: {len(value)}"
            left += [(name, each) for each in value]
        else:
            yield f"{name}: {value}"
            if "cents" in name and isinstance(value, int):
                yield f"{name}: {value / 100}"
