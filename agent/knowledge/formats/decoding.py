"""The text of a file, whatever its encoding."""

from __future__ import annotations

import codecs
from contextlib import suppress
from encodings.aliases import aliases

from agent.knowledge.formats.errors import Unreadable

# Bytes that are looked at when an encoding has to be guessed.
SAMPLE = 2**16

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WINDOWS = "cp1252"
# What documents of this world are in if neither UTF-8 nor Windows-1252. More would be guessed wrongly more often.
_GUESSED = [
    *(_WINDOWS, "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r"),
    *("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"),
]
# Browsers read these labels as Windows-1252 too.
_SUBSETS = {"ascii", "iso8859_1"}


def decoded(content: bytes, charset: str | None = None) -> str:
    """Return the text of a file: by its byte order mark, as it is declared, in UTF-8, or in what it seems to be in.

    Args:
        content: the file.
        charset: the encoding that it is declared to be in; one that does not fit is ignored.

    Raises:
        Unreadable: it is no text.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return _decoded(content, [encoding])
    return _decoded(content, [*_declared(charset), "utf-8"])


def _decoded(content: bytes, encodings: list[str]) -> str:
    for encoding in encodings:
        with suppress(UnicodeDecodeError, LookupError):
            return content.decode(encoding)
    if b"\0" not in content:
        text = content.decode("utf-8-sig", "replace")
        if _is_mostly_sound(text):
            return text
        for encoding in (_guess(content), _WINDOWS):
            with suppress(UnicodeDecodeError):
                return content.decode(encoding)
    raise Unreadable("no text in UTF-8, UTF-16 or Windows-1252: save it as UTF-8")


def _is_mostly_sound(text: str) -> bool:
    """Tell whether most of what is beyond ASCII fitted when a text was read as UTF-8. By chance it hardly ever does."""
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return beyond_ascii > 2 * text.count("\ufffd")


def _declared(charset: str | None) -> list[str]:
    """Return the encoding that a declaration names, unless it is one that no document is in."""
    with suppress(LookupError, ValueError):
        encoding = codecs.lookup(charset or "").name.replace("-", "_")
        if encoding in _SUBSETS:
            return [_WINDOWS]
        if encoding in aliases.values() and encoding != "utf_7":
            return [encoding]
    return []


def _guess(content: bytes) -> str:
    """Return what a text seems to be in. Windows-1252 goes first wherever it is as good a guess."""
    from charset_normalizer import from_bytes

    whole_lines = content[:SAMPLE].rsplit(b"\n", 1)[0]
    matches = from_bytes(whole_lines, cp_isolation=_GUESSED)
    best = matches.best()
    if best is None or any(_WINDOWS in match.could_be_from_charset for match in matches):
        return _WINDOWS
    return best.encoding if best.coherence or best.multi_byte_usage else _WINDOWS
