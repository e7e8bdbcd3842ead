"""Sums that an answer shows: "159.00 - 4.90 = 154.10" is worked out again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.arithmetic import NotCalculable, calculate
from agent.grounding import units
from agent.grounding.numbers import readings

_DIGITS = r"[0-9]{1,12}(?:[.,'’][0-9]{1,6}){0,3}"
_SUM = re.compile(
    rf"(?P<sum>(?:\( ?)?{_DIGITS}(?: {{0,8}}[-+*/×·x\u2212–()] {{0,8}}(?:{_DIGITS})?){{1,12}}) {{0,8}}="
    rf" {{0,8}}(?P<total>{_DIGITS})"
)
_MONEY = re.compile("|".join((*map(re.escape, units.BEFORE_AMOUNTS), *units.CURRENCIES, "euros?")))
_CENTS = 2  # decimals
_SIGNS = str.maketrans("×·x\u2212–", "***--")


@dataclass(frozen=True)
class Sum:
    """A sum.

    Args:
        start: offset of its total.
        end: offset behind it.
        text: the sum, without its total.
        right: what it comes to, as it should stand there.
        holds: whether that is what stands there.
    """

    start: int
    end: int
    text: str
    right: str
    holds: bool


def sums(text: str) -> Iterator[Sum]:
    """Yield the sums of a text that can be worked out.

    Args:
        text: the text. Amounts may have a currency.
    """
    if "=" not in text:
        return
    for found in _SUM.finditer(_MONEY.sub(lambda money: " " * len(money[0]), text)):
        totals, expression = readings(found["total"]), found["sum"].translate(_SIGNS)
        if "**" in expression or "//" in expression:
            continue
        try:
            values = {_worked_out(expression, reading) for reading in (0, -1)}
        except NotCalculable:
            continue
        off, value = min((abs(total - value), value) for total in totals for value in values)
        places = _places(found["total"])
        if not set("*/") & set(expression):
            # Nobody rounds a sum of money to whole euros.
            places = max(places, min(_CENTS, max(map(_places, re.findall(_DIGITS, expression)))))
        holds = off <= 0.5 * 10**-places + 1e-9
        yield Sum(found.start("total"), found.end("total"), " ".join(found["sum"].split()), f"{value:.10g}", holds)


def _worked_out(expression: str, reading: int) -> float:
    """Return what it comes to where all its numbers are read alike: 1.250 is more than a thousand, or a fraction."""
    return float(calculate(re.sub(_DIGITS, lambda digits: str(readings(digits[0])[reading]), expression)))


def _places(digits: str) -> int:
    return len(re.split("[.,]", digits)[-1]) if re.search("[.,]", digits) else 0
