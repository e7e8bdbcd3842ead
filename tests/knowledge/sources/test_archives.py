"""Zip archives: whole, damaged, encrypted and hostile ones."""

from __future__ import annotations

import stat
import struct
import zipfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge.documents import IndexReport, NoDocuments
from agent.knowledge.sources import Limits, open_source
from agent.knowledge.sources.archive import Archive

SMALL = Limits(document_bytes=2**21, archive_bytes=2**22)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manuals.zip"


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), content, method)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_holds_the_documents_in_it(path, find, method) -> None:
    pack(path, {"a.md": b"# A", "tents/": b"", "tents/heron 2.md": b"# Heron" * 999, "empty.txt": b""}, method)
    source = open_source(path)
    found, report = await find(source)
    assert source == Archive(path)
    assert {name: document.read() for name, document in found.items()} == {
        "a.md": b"# A",
        "tents/heron 2.md": b"# Heron" * 999,
        "empty.txt": b"",
    }
    assert found["tents/heron 2.md"].uri == f"{path}#tents/heron 2.md"
    assert found["a.md"].modified == datetime(2024, 5, 6, 7, 8, 10).astimezone().timestamp()
    assert report == IndexReport()


async def test_that_stands_behind_a_program_is_read(path, find) -> None:
    path.write_bytes(b"#!/bin/sh\n" * 99 + pack(path, {"a.md": b"# A"}).read_bytes())
    found, _ = await find(open_source(path))
    assert found["a.md"].read() == b"# A"


async def test_names_lead_nowhere_else_and_can_be_shown(path, find) -> None:
    names = ["../../etc/passwd.md", "/root/b.md", "win\\c.md", "./d.md", "bell\7\x1b[31m.md", "//e.md", "..", ""]
    found, _ = await find(open_source(pack(path, dict.fromkeys(names, b"x"))))
    assert list(found) == ["etc/passwd.md", "root/b.md", "win/c.md", "d.md", "bell\ufffd\ufffd[31m.md", "e.md"]


async def test_skips_what_it_should_with_a_reason(path, find) -> None:
    pack(path, {"a.md": b"x", "photo.png": b"x", ".git/b.md": b"x", "__MACOSX/._a.md": b"x", "c.md": b"x" * 2**22})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    found, report = await find(open_source(path, limits=SMALL))
    assert list(found) == ["a.md"]
    no_kind = "not a kind of document that is read"
    assert report == IndexReport(
        skipped=[
            ("photo.png", no_kind),
            (".git/b.md", "hidden"),
            ("__MACOSX/._a.md", "hidden"),
            ("c.md", "larger than 2 MB"),
            ("link.md", no_kind),
        ]
    )


async def test_a_bomb_is_not_unpacked(path, find) -> None:
    found, report = await find(open_source(pack(path, {"bomb.md": bytes(2**21), "a.md": b"x"})))
    assert list(found) == ["a.md"]
    assert report.skipped == [("bomb.md", "packed as tightly as a zip bomb")]


async def test_a_bomb_that_lies_about_its_size_is_not_unpacked(path, find) -> None:
    pack(path, {"a.md": bytes(2**23)})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    found, _ = await find(open_source(path, limits=SMALL))
    with pytest.raises(OSError, match="larger than 2 MB"):
        found["a.md"].read()


async def test_a_document_that_claims_to_be_packed_larger_than_memory_is_damaged(path, find) -> None:
    content = bytearray(pack(path, {"a.md": b"x" * 99, "b.md": b"y"}).read_bytes())
    entry, end = content.index(b"PK\1\2"), content.rindex(b"PK\5\6")
    extra = struct.pack("<HHQ", 1, 8, 2**62)
    content[end + 12 : end + 16] = struct.pack("<L", struct.unpack_from("<L", content, end + 12)[0] + len(extra))
    content[entry + 46 + len("a.md") : entry + 46 + len("a.md")] = extra
    content[entry + 30 : entry + 32] = struct.pack("<H", len(extra))
    content[entry + 20 : entry + 24] = b"\xff" * 4
    path.write_bytes(content)
    found, _ = await find(open_source(path))
    assert found["b.md"].read() == b"y"
    with pytest.raises(OSError, match="damaged in the archive"):
        found["a.md"].read()


async def test_past_the_limit_for_all_together_the_rest_is_left(path, find) -> None:
    pack(path, {f"{n}.md": bytes([n]) * 2**21 for n in range(3)}, zipfile.ZIP_STORED)
    found, report = await find(open_source(path, limits=SMALL))
    assert list(found) == ["0.md", "1.md"]
    assert report.incomplete == f"{path} holds more than 4 MB of documents"


async def test_what_is_encrypted_or_packed_in_a_rare_way_fails_by_name(path, find) -> None:
    pack(path, {"a.md": b"x", "secret.md": b"x"})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1)
    content[entry + 8] |= 1
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("rare.md", b"x", zipfile.ZIP_LZMA)
    found, report = await find(open_source(path))
    assert list(found) == ["a.md"]
    assert report.failed == [
        ("secret.md", "encrypted: put it in the archive without a password"),
        ("rare.md", "packed by a method that is not read: pack it with deflate"),
    ]


@pytest.mark.parametrize(
    "content", [b"", b"no zip", b"PK\5\6" + bytes(5), b"PK\5\6\0\0\0\0\1\0\1\0\xff\0\0\0\0\0\0\0\0\0"]
)
async def test_that_is_none_is_an_error(path, find, content) -> None:
    path.write_bytes(content)
    with pytest.raises(NoDocuments, match=r"manuals.zip is no zip archive, or a damaged one \(.+\): make it again"):
        await find(open_source(path))


async def test_that_disappears_is_an_error(path, find) -> None:
    source = open_source(pack(path, {"a.md": b"x"}))
    path.unlink()
    with pytest.raises(NoDocuments, match="cannot be read: No such file"):
        await find(source)


async def test_without_documents_is_an_error(path, find) -> None:
    with pytest.raises(NoDocuments, match="holds no document"):
        await find(open_source(pack(path, {"a.png": b"x"})))


async def test_that_changes_meanwhile_gives_no_mixed_documents(path, find) -> None:
    found, _ = await find(open_source(pack(path, {"a.md": b"first" * 99, "b.md": b"second" * 99})))
    pack(path, {"c.md": b"quite another" * 500})
    for document in found.values():
        with pytest.raises(OSError, match="damaged in the archive, or the archive has changed"):
            document.read()


@given(place=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.integers(0, 40))
async def test_any_damage_is_an_error_or_leaves_true_content(path, place, byte, cut) -> None:
    content = bytearray(pack(path, {"a.md": b"true words " * 20, "b.md": b"more words " * 20}).read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content[: len(content) - (cut if cut < 20 else 0)])
    try:
        found = [document async for document in Archive(path).find(IndexReport())]
    except NoDocuments:
        return
    for document in found:
        with suppress(OSError):
            assert document.read() in (b"true words " * 20, b"more words " * 20)
