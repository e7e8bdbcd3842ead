"""Dates and times of day in the forms that people write them in."""

from __future__ import annotations

import re
from collections.abc import Iterator

Key = tuple[str, object]

_MONTHS = (
    "january januar janvier januari gennaio enero jan",
    "february februar février februari febbraio febrero feb",
    "march märz mars maart marzo mar",
    "april avril aprile abril apr",
    "may mai mei maggio mayo",
    "june juni juin giugno junio jun",
    "july juli juillet luglio julio jul",
    "august août augustus agosto aug",
    "september septembre settembre septiembre sept sep",
    "october oktober octobre ottobre octubre oct okt",
    "november novembre noviembre nov",
    "december dezember décembre dicembre diciembre dec dez",
)
_NUMBERS = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
MONTH = rf"(?i:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})(?![\w])\.?"
_DAY = r"[0-3]?[0-9](?:st|nd|rd|th)?(?![\w])"
_YEAR = r"[12][0-9]{3}(?![\w])"

# What begins with a digit, and what begins with a letter.
DIGITAL = (
    r"(?P<iso>(?<![\w-])[12][0-9]{3}-[01][0-9](?:-[0-3][0-9])?(?![0-9-])"
    r"|(?<![\w/])[12][0-9]{3}/[01][0-9]/[0-3][0-9](?![\w/]))"
    r"|(?P<numeric>(?<![\w.,])[0-3]?[0-9](?P<dot>[./]|-(?=[0-9]{1,2}-[12][0-9]{3}))[0-3]?[0-9](?P=dot)"
    r"(?:[12][0-9]{3}|[0-9]{2})(?![\w]))"
    rf"|(?P<day_first>(?<![\w.,]){_DAY}\.? (?:of |de )?{MONTH}(?:,? {_YEAR})?)"
    r"|(?P<time>(?:(?<![\w.,:+])|(?P<stamped>(?<=[0-9]T)))[0-2]?[0-9]"
    r"(?:(?:[:h]|[ \u00a0\u202f]h[ \u00a0\u202f](?![0-9]{1,2}[ \u00a0\u202f]?min))[0-5][0-9]"
    r"(?::[0-5][0-9])?(?:\.[0-9]{1,6})?(?![0-9:])(?:[ \u00a0\u202f]?(?P<half>[ap])\.?m\b\.?)?"
    r"|\.[0-5][0-9](?= Uhr\b)|[ \u00a0\u202f]?(?P<hour_half>[ap])\.?m\b\.?)"
    r"(?(stamped)(?:[+-][0-9]{2}:?[0-9]{2}\b)?))"
)
WORDED = (
    rf"(?P<month_first>(?=[A-Z]){MONTH} {_DAY}(?![:.,][0-9])(?:,? {_YEAR})?)|(?P<month>{MONTH} {_YEAR})"
    r"|(?P<noon>(?:noon|midday|midnight)\b)"
)

_WORD = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"[0-9]+")
_NOT_MONTHS = {"st", "nd", "rd", "th", "of", "de"}


def needs_of_date(found: re.Match[str]) -> Iterator[Key]:
    """Yield what would bear a date out."""
    for year, month, day in _readings(found):
        if day and year:
            yield from (("date", (year, month, day)), ("day of any year", (month, day)))
        elif day:
            yield "day", (month, day)
        else:
            yield "month", (year, month)


def gives_of_date(found: re.Match[str]) -> Iterator[Key]:
    """Yield what a date bears out."""
    for year, month, day in _readings(found):
        if year:
            yield from (("month", (year, month)), ("number", float(year)), ("bare", float(year)))
        if day:
            yield from (("day", (month, day)), ("date", (year, month, day)))
        if day and not year:
            yield "day of any year", (month, day)


def _readings(found: re.Match[str]) -> Iterator[tuple[int, int, int]]:
    """Yield year, month and day; 0 for what is not said. What is written in numbers may have either order."""
    numbers = [int(digits) for digits in _DIGITS.findall(found[0])]
    if found["iso"]:
        year, month, day = (*numbers, 0)[:3]
        yield year, month, day
    elif found["numeric"]:
        first, second, year = numbers
        year += 2000 if year < 100 else 0  # noqa: PLR2004
        yield year, second, first
        yield year, first, second
    else:
        name = next(word for word in _WORD.findall(found[0].casefold()) if word not in _NOT_MONTHS)
        month = _NUMBERS[name]
        if found["month"]:
            yield numbers[0], month, 0
        else:
            day, year = (*numbers, 0)[:2]
            yield year, month, day


def minutes(found: re.Match[str]) -> Iterator[int]:
    """Yield the minutes since midnight that a time of day may stand for: both halves of the day where none is said."""
    if found["noon"]:
        yield 0 if found["noon"] == "midnight" else 720
        return
    hour, minute = ([int(digits) for digits in _DIGITS.findall(found["time"])] + [0])[:2]
    half = found["half"] or found["hour_half"]
    if half:
        yield (hour % 12 + (12 if half == "p" else 0)) * 60 + minute
        return
    yield hour * 60 + minute
