"""Facts: what an answer must say, found in it by fixed rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agent.refusals import folded, refuses
from service.evaluation.phrases import asks_back

_UP_TO_TWELVE = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_TENS = ("ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = dict(zip(_TENS, range(10, 100, 10), strict=True)) | dict(zip(_UP_TO_TWELVE, range(13), strict=True))

# A number of an answer, with a comma or a point before its decimals or between its thousands.
_NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:[.,]\d+)*", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}(?:\.\d{3})+,\d+")

# Thousands apart by a space or an apostrophe, or by a point where that could begin decimals too.
_APART = re.compile(r"(?<![\w.,])(-?[1-9]\d{0,2}([ '.])\d{3}(?:\2\d{3})*)(?:[.,](\d+))?(?!\w)", re.ASCII)
_WORD = re.compile(r"\b(?!one\s+of\b)[a-z]+")


def numbers(text: str) -> Iterator[float]:
    """Yield the numbers of a text, in figures or as one of the commoner words. What can be read as two is both."""
    for found in _NUMBER.finditer(folded(text)):
        yield _value(found[0])
    for found in _APART.finditer(folded(text)):
        yield float(f"{found[1].replace(found[2], '')}.{found[3] or 0}")
    for word in _WORD.findall(text.lower()):
        if word in NUMBERS:
            yield float(NUMBERS[word])


def _sound(regex: str) -> str:
    try:
        _compiled(regex)
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    return regex


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pattern(_Part):
    """A regular expression, upper or lower case."""

    regex: Annotated[str, AfterValidator(_sound)] = Field(
        description="Found in the answer, in which quotes, dashes and spaces are plain and citations are left out."
    )

    def stands_in(self, answer: str) -> bool:
        """Whether the answer matches."""
        return bool(_compiled(self.regex).search(folded(answer)))

    def __str__(self) -> str:
        return f"/{self.regex}/"


class Number(_Part):
    """A number, however it is written."""

    number: float = Field(description="The number.")
    within: float = Field(0.005, ge=0, description="How far off it may be.")

    def stands_in(self, answer: str) -> bool:
        """Whether the answer has such a number."""
        return any(abs(found - self.number) <= self.within for found in numbers(answer))

    def __str__(self) -> str:
        return f"{self.number:g}"


class AsksBack(_Part):
    """A question back, where the answer depends on what was not said."""

    asks_back: bool = Field(description="True: the answer asks for what it lacks.")

    def stands_in(self, answer: str) -> bool:
        """Whether the answer asks back."""
        return asks_back(answer) == self.asks_back

    def __str__(self) -> str:
        return "a question back"


class Refusal(_Part):
    """A refusal: the answer says that it does not know. What must not be one has it under `absent`."""

    refuses: bool = Field(description="True: the answer says that it does not know.")

    def stands_in(self, answer: str) -> bool:
        """Whether the answer refuses."""
        return refuses(answer) == self.refuses

    def __str__(self) -> str:
        return "that it does not know"


Fact = Annotated[
    str | Pattern | Number | AsksBack | Refusal,
    Field(description="Words, upper or lower case; or a pattern, a number, a question back, or a refusal."),
]


def stands_in(fact: Fact, answer: str) -> bool:
    """Whether an answer says a fact. Words count as whole ones."""
    if not isinstance(fact, str):
        return fact.stands_in(answer)
    return bool(re.search(rf"(?<!\w){re.escape(folded(fact))}(?!\w)", folded(answer), re.IGNORECASE))


def _value(written: str) -> float:
    if _THOUSANDS.fullmatch(written.lstrip("-")):
        comma, point = written.rfind(","), written.rfind(".")
        written = written.replace(",", "") if point > comma or point < 0 else written.replace(".", "").replace(",", ".")
    elif written.count(",") == 1 and "." not in written:
        written = written.replace(",", ".")
    head, _, tail = written.rpartition(".")
    return float(f"{head.replace('.', '').replace(',', '')}.{tail}" if head else written.replace(",", ""))


def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex, re.IGNORECASE | re.DOTALL)
