import pytest

from agent.knowledge.formats import KINDS, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("guide.md", "markdown"),
        ("docs/GUIDE.MD", "markdown"),
        ("notes.txt", "text"),
        ("README", "text"),
        ("server.log", "text"),
        ("page.html", "html"),
        ("manual.pdf", "pdf"),
        ("letter.docx", "docx"),
        ("stores.csv", "csv"),
        ("stores.tsv", "csv"),
        ("data.json", "json"),
        ("records.jsonl", "jsonl"),
        ("client.py", "code"),
        ("schema.sql", "code"),
        ("settings.yaml", "code"),
        ("src/Dockerfile", "code"),
        ("CMakeLists.txt", "code"),
        ("photo.png", None),
        ("letter.doc", None),
        ("no-ending", None),
        ("", None),
    ],
)
def test_is_told_by_the_name(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    ("name", "media_type", "kind"),
    [
        ("guide", "text/html; charset=utf-8", "html"),
        ("guide.php", "Text/HTML", "html"),
        ("download", "application/pdf", "pdf"),
        ("guide.md", "text/plain; charset=utf-8", "markdown"),
        ("guide", "text/plain", "text"),
        ("guide.md", "application/octet-stream", "markdown"),
        ("guide.md", "image/png", None),
        ("guide", "application/octet-stream", None),
    ],
)
def test_is_told_by_the_media_type_first(name: str, media_type: str, kind: str | None) -> None:
    assert kind_of(name, media_type) == kind


def test_is_one_of_those_there_are() -> None:
    assert set(KINDS) == {"markdown", "text", "html", "pdf", "docx", "code", "csv", "jsonl", "json"}
