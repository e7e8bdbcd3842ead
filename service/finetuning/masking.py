"""Personal data in examples becomes placeholders, the same one each time within a thread.

Telephone numbers are found by libphonenumber, and account, card and social security numbers by their check digits, so
that order numbers and prices stay. Names and postal addresses have no such form: only those that are given are found.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.errors import SettingsError

REGIONS = ("US", "GB", "DE")

_EMAIL = re.compile(r"[\w.%+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}+){3,8}\b", re.IGNORECASE)
# In whatever groups where it stands alone; in the usual ones where its date, its code or another number is beside it.
_CARD = re.compile(r"(?<![\d.-])(?<!\d )\d(?:[ -]?\d){12,18}(?![\d-]|[. ]\d)")
_CARD_GROUPS = re.compile(r"(?<![\d.-])(?=(\d{4,19}(?:[ -]\d{3,6}){0,4})(?![\d-]|\.\d))")
_CARD_DIGITS = range(13, 20)
_SSN = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d)"
)

Span = tuple[int, int, str]


@dataclass(frozen=True)
class Masking:
    """What is looked for.

    Args:
        regions: countries, as two letters, whose telephone numbers are found without a country code.
        names: names that are masked wherever they stand, in any case.

    Raises:
        SettingsError: the libraries that find personal data are not installed.
    """

    regions: Sequence[str] = REGIONS
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        try:
            import phonenumbers  # noqa: F401
            import stdnum  # noqa: F401
        except ImportError:
            raise SettingsError(
                "masking needs what finds personal data: pip install 'selfhelp[masking]', or pass --no-mask"
            ) from None

    def find(self, text: str) -> list[tuple[str, Span]]:
        """Return what is personal in a text, in its order: what it is, where it stands, and what is the same thing."""
        finders: list[tuple[str, Callable[[str], Iterator[Span]]]] = [
            ("NAME", self._names),
            ("EMAIL", _emails),
            ("IBAN", _ibans),
            ("CARD", _cards),
            ("SSN", _ssns),
            ("IP", _addresses),
            ("PHONE", self._phones),
        ]
        found: list[tuple[str, Span]] = []
        for label, finder in finders:
            for span in finder(text):
                if all(span[1] <= start or span[0] >= end for _, (start, end, _) in found):
                    found.append((label, span))
        return sorted(found, key=lambda each: each[1][0])

    def _names(self, text: str) -> Iterator[Span]:
        if not self.names:
            return
        longest_first = sorted(self.names, key=len, reverse=True)
        pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield (*match.span(), match[0].casefold())

    def _phones(self, text: str) -> Iterator[Span]:
        from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher, format_number

        for region in (None, *self.regions):
            for match in PhoneNumberMatcher(text, region, Leniency.VALID):
                # A bare run of digits is an order number more often than a telephone number.
                if not match.raw_string.isdigit() or match.raw_string.startswith("0"):
                    yield match.start, match.end, format_number(match.number, PhoneNumberFormat.E164)


@dataclass
class Masker:
    """Masks the texts of one thread.

    Args:
        masking: what is looked for.
    """

    masking: Masking
    _placeholders: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many different things were masked, by what they are."""
        return dict(Counter(label for label, _ in self._placeholders))

    def text(self, text: str) -> str:
        """Return a text with placeholders."""
        parts, end = [], 0
        for label, (start, until, thing) in self.masking.find(text):
            parts += [text[end:start], self._placeholder(label, thing)]
            end = until
        return "".join([*parts, text[end:]])

    def message(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return a chat message with placeholders in what it says and in the arguments of its calls."""
        masked = dict(message)
        if "content" in message:
            masked["content"] = self.text(message["content"])
        if "tool_calls" in message:
            masked["tool_calls"] = [self._call(call) for call in message["tool_calls"]]
        return masked

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        arguments = json.dumps(self.value(json.loads(call["function"]["arguments"])), ensure_ascii=False)
        return {**call, "function": {**call["function"], "arguments": arguments}}

    def value(self, value: Any) -> Any:
        """Return a JSON value with placeholders in its texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value

    def _placeholder(self, label: str, thing: str) -> str:
        number = 1 + sum(known == label for known, _ in self._placeholders)
        return self._placeholders.setdefault((label, thing), f"[{label}_{number}]")


def _emails(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        yield (*match.span(), match[0].casefold())


def _ibans(text: str) -> Iterator[Span]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        # What follows may look like one more group of it.
        groups = re.split(r"(?<=[ -])", match[0])
        for count in range(len(groups), 0, -1):
            number = "".join(groups[:count]).rstrip(" -")
            if iban.is_valid(number):
                yield match.start(), match.start() + len(number), iban.compact(number)
                break


def _cards(text: str) -> Iterator[Span]:
    from stdnum import luhn

    places = [match.span() for match in _CARD.finditer(text)]
    for match in _CARD_GROUPS.finditer(text):
        ends = [match.start() + group.end() for group in re.finditer(r"\d+", match[1])]
        places += [(match.start(), end) for end in reversed(ends)]
    for start, end in places:
        digits = re.sub(r"\D", "", text[start:end])
        if len(digits) in _CARD_DIGITS and digits[0] in "23456" and luhn.is_valid(digits):
            yield start, end, digits


def _ssns(text: str) -> Iterator[Span]:
    from stdnum.us import ssn

    for match in _SSN.finditer(text):
        if ssn.is_valid(match[0]):
            yield (*match.span(), match[0])


def _addresses(text: str) -> Iterator[Span]:
    for match in _ADDRESS.finditer(text):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        if not address.is_unspecified:
            yield (*match.span(), str(address))
