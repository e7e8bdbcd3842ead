import pytest

from agent.knowledge.formats.decoding import decoded
from agent.knowledge.formats.errors import Unreadable

RUSSIAN = "Возврат товара возможен в течение 30 дней с момента доставки."  # noqa: RUF001  # it is Cyrillic
JAPANESE = "返品は商品到着後30日以内に可能です。送料はお客様負担となります。"
CZECH = "Vrácení zboží je možné do 30 dnů od doručení. Příliš žluťoučký kůň úpěl ďábelské ódy."
FRENCH = "Les retours sont gratuits pendant trente jours après réception. Été, naïve."


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Grüße €".encode(), "Grüße €"),
        ("Grüße €".encode("utf-8-sig"), "Grüße €"),
        ("Grüße €".encode("utf-16"), "Grüße €"),
        (b"\xfe\xff" + "Grüße €".encode("utf-16-be"), "Grüße €"),
        ("Grüße €".encode("cp1252"), "Grüße €"),
        (FRENCH.encode("cp1252"), FRENCH),
        ("It’s “5 €”".encode("cp1252"), "It’s “5 €”"),
        (CZECH.encode("cp1250"), CZECH),
        (RUSSIAN.encode("cp1251"), RUSSIAN),
        (RUSSIAN.encode("koi8_r"), RUSSIAN),
        (JAPANESE.encode("shift_jis"), JAPANESE),
        (CZECH.encode() + b"\xff", CZECH + "\ufffd"),
        (CZECH.encode("utf-8-sig") + b"\xff", CZECH + "\ufffd"),
        ((FRENCH + "é").encode()[:-1], FRENCH + "\ufffd"),
        (b"line\r\nline", "line\r\nline"),
        (b"", ""),
    ],
)
def test_text_is_read_in_what_it_is_in(content: bytes, text: str) -> None:
    assert decoded(content) == text


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("iso-8859-15", "5 €"),
        ("ISO-8859-1", "5 ¤"),
        ("utf-8", "5 ¤"),
        ("no-such-charset", "5 ¤"),
        ("rot13", "5 ¤"),
        ("unicode_escape", "5 ¤"),
        ("zlib\0", "5 ¤"),
    ],
)
def test_a_declared_charset_counts_where_it_fits(charset: str, text: str) -> None:
    assert decoded(b"5 \xa4", charset) == text


def test_a_byte_order_mark_goes_before_what_is_declared() -> None:
    assert decoded("Grüße".encode("utf-16"), "cp1252") == "Grüße"


@pytest.mark.parametrize("content", [b"\x89PNG\0\xff", b"\xff\xfe\x00", b"undefined in cp1252: \x81\xff"])
def test_anything_else_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable, match="UTF-8"):
        decoded(content)
