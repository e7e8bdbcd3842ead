"""Numbers in a text: what each says, in whatever form it is written, and what it bears out elsewhere.

A number is held against others by keys. It needs one of some keys, and gives some to others: "2.3 kg" needs a weight of
2,300 g, or a bare 2.3 such as a table's. What may be read in two ways, such as 1,299, has the keys of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, zip_longest

from agent.grounding import dates, units, words
from agent.grounding.dates import Key
from agent.grounding.language import FUNCTION_WORDS, stem
from agent.grounding.units import CLOCK

LONGEST_DIGITS = 18
LONGEST_BETWEEN = 6
MOST_OWN = 9
_HOUR_BEFORE = 9

_GROUPED = r"[0-9]{1,3}(?:(?P<separator>[,.'’\u00a0\u202f])[0-9]{3})(?:(?P=separator)[0-9]{3}){0,5}(?:[.,][0-9]{1,8})?"
_SPACED = r"[0-9]{1,3}(?: [0-9]{3}){1,5}(?=,[0-9]{2}|[ \u00a0]?(?:€|EUR\b|euros?\b))(?:,[0-9]{2})?"
_PLAIN = rf"[0-9]{{1,{LONGEST_DIGITS}}}(?:[.,][0-9]{{1,8}})?"
_SPACED_AMOUNT = r"(?(currency)[0-9]{1,3}(?: [0-9]{3}){1,5}|(?!))"
# 2½ and 1 1/2
_FRACTION = (
    r"(?<![\w.,/])(?P<fraction>(?P<whole>[0-9]{1,3}(?=[ \u00a0\u202f½¼¾]))?[ \u00a0\u202f]?"
    r"(?P<part>[½¼¾]|(?<=[0-9][ \u00a0\u202f])(?:1/2|1/4|3/4)(?![\w/])))"
)
_BEFORE = "|".join(map(re.escape, units.codes()))
_NUMBER = re.compile(
    rf"(?=[0-9½¼¾]|(?:{_BEFORE})[ \u00a0\u202f]?[0-9])(?:{_FRACTION}|{dates.DIGITAL}"
    r"|(?P<version>(?<![\w.])(?![0-9]{1,3}(?:\.[0-9]{3}){2,5}(?![.\w]))[0-9]{1,5}(?:\.[0-9]{1,5}){2,4}(?![\w]))"
    rf"|(?P<idiom>\b24/7\b)"
    rf"|(?P<currency>(?<![0-9])(?<![0-9][ \u00a0\u202f])(?:{_BEFORE})[ \u00a0\u202f]?)?"
    rf"(?<![0-9])(?P<digits>(?:{_GROUPED}|{_SPACED}|{_SPACED_AMOUNT}|{_PLAIN})(?![0-9])))"
    rf"|(?<!\w)(?=[^\W\d_])(?:{dates.WORDED}|{words.WORDS})|"
    r"(?P<zone>(?:(?<=[0-9])\+|(?<=:[0-9]{2}:[0-9]{2})-)[0-9]{2}:[0-9]{2}\b)"
)
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "1/2": 0.5, "1/4": 0.25, "3/4": 0.75}
_UNIT = re.compile(
    r"(?:[ \u00a0\u202f-]?(?P<scale>million|billion|Millionen|Mio\.?|Mrd\.?|bn|k|M)(?![\w/]))?"
    r"(?P<ordinal>(?:st|nd|rd|th)\b)?[ \u00a0\u202f-]?"
    r"(?:(?P<working>(?:working|business|opening|Werk|Arbeits)[ -]?)|(?:full|whole|more) )?"
    r"(?P<unit>°[CF]?|[€$£%]|km/h|m²|o'clock|per cent|[^\W\d_]{1,12}2?(?![\w]))?"
)
# "30 consecutive days"
_QUALIFIED = re.compile(
    r"(?P<scale>(?!))?(?P<ordinal>(?!))?[ \u00a0](?P<working>(?!))?[a-z]{4,14} (?P<unit>[^\W\d_]{3,12})(?![\w])"
)
_SCALES = {"million": 1e6, "millionen": 1e6, "mio": 1e6, "m": 1e6, "billion": 1e9, "mrd": 1e9, "bn": 1e9, "k": 1e3}
# Between two numbers the unit of the second is the first's too: "2 to 3 days", "46 x 15 cm".
_RANGE = re.compile(r"\s?(?:to|or|bis|oder|à|ou|tot|of|a|o|[-–x×])\s?\Z")
# "Open from 9 to 5": hours of the clock, in either half of the day.
_HOUR = re.compile(r"\b(?:from|until|till|to|at|by|between|and|von|bis|um|ab|de|à|van|tot)\s\Z|[-–]\Z", re.IGNORECASE)
# "1 h 30 min", "one year and six months"
_ADDED = re.compile(r"[ \u00a0\u202f](?:(?:and|und|et|e|y|en) )?")
_THOUSANDS = re.compile(r"[0-9]{3}(?![0-9.])")
# "31.12." without a year
_DAY_OF_MONTH = re.compile(r"(?P<day>[0-3]?[0-9])\.(?P<month>[01]?[0-9])")
_NOUN = re.compile(r"[ \u00a0-](?P<noun>[^\W\d_]{2,30})")
_CONNECTORS = frozenset({"bis", "oder", "tot", "ou", "und", "en", "et", "y", "e"})
# What an answer may count of its own.
_OWN = frozenset(
    "option way step thing point reason condition case possibility choice question example part item".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Number:
    """A number as it stands in a text.

    Args:
        start: offset of its first character.
        end: offset behind the last, its unit included.
        text: what stands there.
        needs: keys of which one bears it out.
        gives: keys that it bears out.
        value: the number itself, where it is neither a date nor a time; of two readings the first.
        unit: its unit, as it is written.
        counts: what it counts where it has no unit: "store" in "three stores".
        in_words: whether it is written in words.
    """

    start: int
    end: int
    text: str
    needs: frozenset[Key]
    gives: frozenset[Key] = field(repr=False)
    value: float | None = None
    unit: str = ""
    counts: str = ""
    in_words: bool = False


def numbers(text: str) -> list[Number]:
    """Return the numbers of a text in their order. It takes time linear in its length."""
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        if match["idiom"] or match["zone"] or (found and match.start() < found[-1].end):
            continue
        found.append(_dated(match) if _is_dated(match) else _counted(match, text))
    return _joined(list(_ranges(found, text)), text)


def readings(digits: str) -> list[float]:
    """Return what digits may stand for: 1,299 is a thousand and more, or one and a fraction.

    Args:
        digits: digits with points, commas, apostrophes or spaces between them.
    """
    plain = re.sub(r"['’\u00a0\u202f ]", "", digits)
    separators = [sign for sign in plain if sign in ".,"]
    if len(separators) <= 1:
        whole, _, rest = plain.replace(",", ".").partition(".")
        decimal = float(plain.replace(",", "."))
        if separators and len(rest) == 3 and len(whole) <= 3 and int(whole):  # noqa: PLR2004
            return [float(whole + rest), decimal]
        return [decimal]
    if len(set(separators)) == 1:
        return [float(re.sub("[.,]", "", plain))]
    whole, _, rest = plain.rpartition(separators[-1])
    return [float(f"{re.sub('[.,]', '', whole)}.{rest}")]


def keys(value: float, unit: str = "") -> tuple[set[Key], set[Key]]:
    """Return what bears a value out, and what it bears out itself.

    Args:
        value: the number.
        unit: its unit, as it is written; "" for none.
    """
    value = float(f"{value:.9g}")
    if not unit:
        return {("number", value)}, {("number", value), ("bare", value)}
    measured = set(units.measured(value, unit))
    # A table in grams says 2300 where an answer says 2.3 kg.
    bare = {value, *(amount for measure, amount in measured if measure in units.METRIC)}
    return {*(("bare", amount) for amount in bare), *measured}, {("number", value), *measured}


def _is_dated(match: re.Match[str]) -> bool:
    return not (match["digits"] or match["words"] or match["ordinal"] or match["fraction"])


def _dated(match: re.Match[str]) -> Number:
    if match["version"]:
        needs = gives = frozenset[Key]({("version", match[0])})
    elif match["time"] or match["noon"]:
        needs = gives = frozenset[Key]((CLOCK, float(minute)) for minute in dates.minutes(match))
    else:
        needs, gives = frozenset(dates.needs_of_date(match)), frozenset(dates.gives_of_date(match))
    return Number(match.start(), match.end(), match[0].strip(), needs, gives)


def _counted(match: re.Match[str], text: str) -> Number:
    if match["ordinal"]:
        value = float(words.ORDINALS[match["ordinal"].casefold()])
        _, gives = keys(value)
        return Number(match.start(), match.end(), match[0], frozenset(), frozenset(gives), value)
    behind = _UNIT.match(text, match.end())
    assert behind is not None, "the expression matches the empty text"
    if not units.known(behind["unit"] or ""):
        qualified = _QUALIFIED.match(text, match.end())
        behind = qualified if qualified and units.known(qualified["unit"]) else behind
    unit = _unit(match, behind)
    end = match.end()
    if unit and not match["currency"]:
        end = behind.end()
    elif match["digits"]:
        end = max(end, behind.end("scale"), behind.end("ordinal"))
    noun = None if unit else _NOUN.match(text, end)
    counts = stem(noun["noun"]) if noun and noun["noun"].casefold() not in FUNCTION_WORDS | _CONNECTORS else ""
    values = _values(match, behind)
    needs: set[Key] = set()
    gives = {("counted", counts)} if counts else set()
    for value in values:
        needed, given = keys(value, unit)
        needs |= needed
        # What counts something, such as five sentences, bears out no five days.
        gives |= {key for key in given if not (counts and key[0] == "bare")}
    if not unit and text.startswith(".", match.end()):
        day = _day_of_month(match[0])
        needs, gives = needs | day, gives | day
    if not unit and _may_be_hour(match, values[0], text):
        needs |= {(CLOCK, 60 * values[0]), (CLOCK, 60 * (values[0] + 12))}
    in_words = match["words"] is not None
    # "One", and a few of what the answer itself lists, claim nothing.
    if not unit and ((in_words and (values[0] <= 1 or not counts)) or (counts in _OWN and values[0] <= MOST_OWN)):
        needs = set()
    shown = text[match.start() : end].strip()
    return Number(
        match.start(), end, shown, frozenset(needs), frozenset(gives), values[0], unit, counts, in_words=in_words
    )


def _values(match: re.Match[str], behind: re.Match[str]) -> list[float]:
    if match["fraction"]:
        return [int(match["whole"] or 0) + _FRACTIONS[match["part"]]]
    if match["words"]:
        return [words.value(match["words"])]
    scale = _SCALES[behind["scale"].casefold().rstrip(".")] if behind["scale"] else 1.0
    return [value * scale for value in readings(match["digits"])]


def _unit(match: re.Match[str], behind: re.Match[str]) -> str:
    if match["currency"]:
        return match["currency"].strip(" \u00a0\u202f")
    written = "percent" if behind["unit"] == "per cent" else behind["unit"] or ""
    if not units.known(written) or (written == "s" and match["words"]):
        return ""
    return units.WORKING_DAYS if behind["working"] and written.casefold() in units.DAYS else written


def _day_of_month(digits: str) -> set[Key]:
    found = _DAY_OF_MONTH.fullmatch(digits)
    return {("day", (int(found["month"]), int(found["day"])))} if found else set()


def _may_be_hour(match: re.Match[str], value: float, text: str) -> bool:
    in_time = match["digits"] is not None and value in range(1, 24)
    return in_time and _HOUR.search(text, max(0, match.start() - _HOUR_BEFORE), match.start()) is not None


def _ranges(found: Sequence[Number], text: str) -> Iterator[Number]:
    """Yield the numbers. One that makes a range with the next has that one's unit, or counts what it counts."""
    for number, following in zip_longest(found, found[1:]):
        if following and _makes_range(number, following, text):
            needs, gives = keys(number.value or 0.0, following.unit)
            counted = {("counted", following.counts)} if following.counts else set()
            yield replace(
                number,
                needs=frozenset(needs) if following.unit else number.needs,
                gives=number.gives - {("bare", number.value)} | counted | (gives if following.unit else set()),
                unit=following.unit,
                counts=following.counts,
            )
        else:
            yield number


def _joined(found: list[Number], text: str) -> list[Number]:
    """Return the numbers. Parts of one, as in 1 h 30 min and 10 000, may be borne out as that one, and bear it out."""
    runs: dict[int, tuple[int, float]] = {}  # by the last part: the first one, and the value of all
    for place, (number, following) in enumerate(pairwise(found)):
        first, value = runs.get(place, (place, number.value))
        total = None if value is None else _total(value, number, following, text)
        if total is not None:
            runs.pop(place, None)
            runs[place + 1] = first, total
    for last, (first, value) in runs.items():
        needs, gives = keys(value, found[last].unit)
        for place in range(first, last + 1):
            part = found[place]
            found[place] = replace(part, needs=part.needs and part.needs | needs, gives=part.gives | gives)
    return found


def _total(value: float, number: Number, following: Number, text: str) -> float | None:
    """Return what a value, whose last part is a number, and what follows it are together, in the unit of the latter."""
    between = text[number.end : following.start] if following.start - number.end <= LONGEST_BETWEEN else ""
    if following.value is None or not _ADDED.fullmatch(between):
        return None
    if between == " " and number.text.isdecimal() and len(number.text) <= 3 and _THOUSANDS.match(following.text):  # noqa: PLR2004
        return value * 1000 + following.value
    if not (number.unit and following.unit):
        return None
    larger, smaller = dict(units.measured(1, number.unit)), dict(units.measured(1, following.unit))
    for measure in larger.keys() & smaller.keys() - {CLOCK}:
        if following.value * smaller[measure] < larger[measure]:
            return value * larger[measure] / smaller[measure] + following.value
    return None


def _makes_range(number: Number, following: Number, text: str) -> bool:
    if number.value is None or number.unit or number.counts or not (following.unit or following.counts):
        return False
    between = text[number.end : following.start]
    return len(between) <= LONGEST_BETWEEN and _RANGE.fullmatch(between) is not None
