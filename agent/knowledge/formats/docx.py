"""Word documents, by way of HTML."""

from __future__ import annotations

import io
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

from agent.knowledge.formats import html
from agent.knowledge.formats.converted import Converted
from agent.knowledge.formats.errors import Unreadable, readable

# What a document may hold unpacked, in bytes and in XML tags: a tag takes about one KB of memory while it is read.
LARGEST_XML = 50 * 2**20
MOST_TAGS = 300_000

_OLD_FORMAT = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STYLES = "p[style-name='Title'] => h1:fresh"
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def convert(content: bytes, _charset: str | None) -> Converted:
    """Return what a Word document says.

    Args:
        content: the file.

    Raises:
        Unreadable: it is no such document, locked by a password, or too large.
    """
    if content.startswith(_OLD_FORMAT):
        raise Unreadable("it is protected by a password or in Word's old format: save it as .docx without a password")
    with readable("it is no Word document, or a damaged one: open it in Word and save it again"):
        import mammoth

        page = mammoth.convert_to_html(
            io.BytesIO(_text_parts(content)),
            style_map=_STYLES,
            include_embedded_style_map=False,
            convert_image=mammoth.images.img_element(_no_image),
        )
        return html.converted(page.value)


def _no_image(_image: Any) -> dict[str, str]:
    return {}


def _text_parts(content: bytes) -> bytes:
    """Return the document without pictures and hidden text. How large its parts really are shows when they are read."""
    room, tags = LARGEST_XML, 0
    copy = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as packed, ZipFile(copy, "w") as parts:
        for name in dict.fromkeys(packed.namelist()):
            if not name.endswith((".xml", ".rels")):
                continue
            with packed.open(name) as part:
                xml = part.read(room + 1)
            room -= len(xml)
            tags += xml.count(b"<")
            if room < 0 or tags > MOST_TAGS:
                raise Unreadable("it holds too much for one document: split it")
            if b"<!DOCTYPE" in xml.replace(b"\0", b""):
                raise Unreadable("it declares XML entities, which no Word document does: save it again in Word")
            parts.writestr(name, _without_hidden(xml))
    return copy.getvalue()


def _without_hidden(xml: bytes) -> bytes:
    """Return a part without the runs of text that Word does not show."""
    if b"vanish" not in xml:
        return xml
    root = ET.fromstring(xml)  # noqa: S314  # entities were ruled out
    for parent in root.iter():
        for run in parent.findall(f"{_WORD}r"):
            mark = run.find(f"{_WORD}rPr/{_WORD}vanish")
            if mark is not None and mark.get(f"{_WORD}val") not in {"0", "false", "off"}:
                parent.remove(run)
    return ET.tostring(root)
