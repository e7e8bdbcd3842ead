import io
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from agent.knowledge.formats import Unreadable, docx, split

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = f"""<w:styles {WORD}>
<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>
</w:styles>"""


def paragraph(text: str, style: str = "", properties: str = "") -> str:
    look = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{look}<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def word(body: str, before: str = "", **more: str | bytes) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as parts:
        parts.writestr("word/document.xml", f"{before}<w:document {WORD}><w:body>{body}</w:body></w:document>")
        parts.writestr("word/styles.xml", STYLES)
        for name, content in more.items():
            parts.writestr(f"word/{name}.xml", content)
    return packed.getvalue()


def text_of(content: bytes) -> str:
    return "\n".join(chunk.text for chunk in split(content, "letter.docx", "docx"))


def test_headings_and_tables_are_kept() -> None:
    row = "".join(f"<w:tc>{paragraph(text)}</w:tc>" for text in ("Zone", "Fee"))
    body = (
        paragraph("Returns", "Title")
        + paragraph("Send it back.")
        + paragraph("Fees", "Heading1")
        + f"<w:tbl><w:tr>{row}</w:tr><w:tr>{row}</w:tr></w:tbl>"
    )
    intro, fees = split(word(body), "letter.docx", "docx")
    assert (intro.title, intro.heading, intro.text) == ("Returns", "", "# Returns\n\nSend it back.")
    assert (fees.heading, fees.first_line, fees.page) == ("Fees", None, None)
    assert "| Zone | Fee |\n| --- | --- |\n| Zone | Fee |" in fees.text


def test_hidden_text_is_dropped() -> None:
    body = paragraph("seen") + paragraph("secret", properties="<w:vanish/>")
    assert text_of(word(body + paragraph("also seen", properties='<w:vanish w:val="0"/>'))) == "seen\n\nalso seen"


def lying_about_its_size() -> bytes:
    content = word(paragraph("x" * 5000))
    with ZipFile(io.BytesIO(content)) as parts:
        size = parts.getinfo("word/document.xml").file_size
    return content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "protected by a password"),
        (b"", "no Word document"),
        (b"PK\x03\x04 cut off", "no Word document"),
        (word("<w:p>"), "damaged"),
        (lying_about_its_size(), "damaged"),
        (word(paragraph("&a;"), before='<!DOCTYPE x [<!ENTITY a "aha">]>'), "XML entities"),
        (word("", footnotes='<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x>'.encode("utf-16")), "XML entities"),
        (word("<w:p/>" * (docx.MOST_TAGS + 1)), "too much"),
        (word("", comments=bytes(docx.LARGEST_XML)), "too much"),
        (word("<w:sdt><w:sdtContent>" * 5000 + "</w:sdtContent></w:sdt>" * 5000), "nested too deeply"),
    ],
    ids=["old", "empty", "cut off", "broken XML", "lying", "entities", "utf-16", "tags", "bomb", "deep"],
)
def test_others_are_unreadable(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        split(content, "letter.docx", "docx")
