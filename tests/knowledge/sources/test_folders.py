"""Folders, files and patterns, over real files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.knowledge.documents import IndexReport, NoDocuments
from agent.knowledge.sources import Limits, open_source
from agent.knowledge.sources.checkout import Checkout
from agent.knowledge.sources.files import File
from agent.knowledge.sources.folder import Folder, Glob, _fits, _may_lead_to

SMALL = Limits(document_bytes=2**20)


class TestOpening:
    @pytest.mark.parametrize("spec", ["docs", "docs/", "./docs/../docs", Path("docs")])
    def test_a_relative_path_is_taken_from_the_working_directory(self, write, spec) -> None:
        docs = write({"a.md": "x"})
        assert open_source(spec) == Folder(docs)
        assert open_source(spec).key == str(docs)

    def test_a_link_keeps_its_own_name(self, write, tmp_path) -> None:
        (tmp_path / "link").symlink_to(write({"a.md": "x"}))
        assert open_source("link").key == str(tmp_path / "link")

    def test_the_home_folder_has_its_sign(self, write, tmp_path, monkeypatch) -> None:
        write({"a.md": "x"})
        monkeypatch.setenv("HOME", str(tmp_path))
        assert open_source("~/docs").key == str(tmp_path / "docs")

    def test_what_a_path_names_decides(self, write) -> None:
        docs = write({"a.md": "x", "repo/.git/HEAD": "x", "worktree/.git": "gitdir: elsewhere", "x.zip/a.md": "x"})
        assert open_source(docs / "a.md") == File(docs / "a.md")
        assert open_source(docs / "repo") == Checkout(docs / "repo")
        assert open_source(docs / "worktree") == Checkout(docs / "worktree")
        assert open_source(docs / "x.zip") == Folder(docs / "x.zip")
        assert open_source(docs / "*" / "[ab].md") == Glob(docs, pattern="*/[ab].md")

    def test_a_file_whose_name_looks_like_a_pattern_is_that_file(self, write) -> None:
        docs = write({"what?.md": "x", "[a]/x.md": "x"})
        assert open_source(docs / "what?.md") == File(docs / "what?.md")
        assert open_source(docs / "[a]") == Folder(docs / "[a]")

    @pytest.mark.parametrize("spec", ["gone", "gone.zip", "gone/*.md", "gone.md"])
    async def test_what_is_missing_says_so_only_when_it_is_read(self, find, spec) -> None:
        source = open_source(spec)
        with pytest.raises(NoDocuments, match=r"there is no file or folder .*gone"):
            await find(source)


class TestFolder:
    async def test_holds_the_documents_in_it_and_below(self, write, find) -> None:
        docs = write({"b.md": "# B", "a.txt": "A", "guides/tent.md": "# Tent"})
        found, report = await find(open_source(docs))
        assert list(found) == ["a.txt", "b.md", "guides/tent.md"]
        assert report == IndexReport()
        tent = found["guides/tent.md"]
        assert (tent.uri, tent.kind, tent.read()) == (str(docs / "guides/tent.md"), "markdown", b"# Tent")
        assert tent.modified == (docs / "guides/tent.md").stat().st_mtime

    async def test_skips_what_it_should_with_a_reason(self, write, docs, find, tmp_path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret.md").write_text("# Secret")
        write({".hidden.md": "x", ".git2/x.md": "x", "photo.png": b"x", "large.md": b"x" * (2**20 + 1), "a.md": "x"})
        (docs / "secret.md").symlink_to(outside / "secret.md")
        (docs / "elsewhere").symlink_to(outside)
        (docs / "loop").symlink_to(docs)
        (docs / "gone.md").symlink_to(docs / "nothing.md")
        (docs / "self.md").symlink_to(docs / "self.md")
        os.mkfifo(docs / "pipe.txt")
        found, report = await find(open_source(docs, limits=SMALL))
        assert list(found) == ["a.md"]
        link, no_kind = "a link to a folder, or out of this one", "not a kind of document that is read"
        assert dict(report.skipped) == {
            ".hidden.md": "hidden",
            ".git2": "hidden",
            "photo.png": no_kind,
            "large.md": "larger than 1 MB",
            "secret.md": link,
            "elsewhere": link,
            "loop": link,
            "gone.md": no_kind,
            "self.md": no_kind,
            "pipe.txt": no_kind,
        }

    async def test_follows_a_link_within_it(self, write, docs, find) -> None:
        write({"a.md": "x"})
        (docs / "alias.md").symlink_to(docs / "a.md")
        assert list((await find(open_source(docs)))[0]) == ["a.md", "alias.md"]

    async def test_that_is_a_link_itself_is_read(self, write, find, tmp_path) -> None:
        (tmp_path / "link").symlink_to(write({"a.md": "x"}))
        found, _ = await find(open_source("link"))
        assert found["a.md"].uri == str(tmp_path / "link" / "a.md")

    async def test_a_name_that_is_not_utf8_is_skipped(self, write, docs, find) -> None:
        write({"a.md": "x"})
        Path(os.fsdecode(os.fsencode(docs) + b"/caf\xe9.md")).write_text("# Coffee")
        found, report = await find(open_source(docs))
        assert list(found) == ["a.md"]
        assert report.skipped == [("caf\ufffd.md", "its name is not UTF-8")]

    async def test_what_cannot_be_listed_or_looked_at_fails_by_name(self, write, find, monkeypatch) -> None:
        docs = write({"a.md": "x", "guides/tent.md": "x", "locked/b.md": "x"})
        refuse_for(monkeypatch, "scandir", "guides")
        refuse_for(monkeypatch, "stat", "b.md")
        found, report = await find(open_source(docs))
        assert list(found) == ["a.md"]
        assert report.failed == [("guides", "Permission denied"), ("locked/b.md", "Permission denied")]

    async def test_that_cannot_be_listed_itself_is_an_error(self, write, find, monkeypatch) -> None:
        docs = write({"a.md": "x"})
        refuse_for(monkeypatch, "scandir", "docs")
        with pytest.raises(NoDocuments, match="docs cannot be read: Permission denied"):
            await find(open_source(docs))

    async def test_without_documents_is_an_error(self, write, find) -> None:
        with pytest.raises(NoDocuments, match=r"docs holds no document: put .*\.md"):
            await find(open_source(write({"a.png": b"x"})))

    async def test_a_file_that_has_grown_or_gone_is_not_read(self, write, find) -> None:
        docs = write({"a.md": "x", "b.md": "x"})
        found, _ = await find(open_source(docs, limits=SMALL))
        write({"a.md": b"x" * (2**20 + 1)})
        (docs / "b.md").unlink()
        with pytest.raises(OSError, match="larger than 1 MB"):
            found["a.md"].read()
        with pytest.raises(FileNotFoundError):
            found["b.md"].read()


def refuse_for(monkeypatch: pytest.MonkeyPatch, call: str, ending: str) -> None:
    original = getattr(os, call)

    def refuse(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if str(path).endswith(ending):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *args, **kwargs)

    monkeypatch.setattr(os, call, refuse)


class TestFile:
    async def test_is_its_one_document_even_if_hidden(self, write, find) -> None:
        docs = write({".notes.md": "# Notes", "b.md": "x"})
        found, _ = await find(open_source(docs / ".notes.md"))
        assert list(found) == [".notes.md"]
        assert found[".notes.md"].read() == b"# Notes"

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [("a.png", b"x", "not a kind of document"), ("a.md", b"x" * (2**20 + 1), "larger than 1 MB")],
    )
    async def test_that_is_no_document_is_an_error(self, write, find, name, content, said) -> None:
        docs = write({name: content})
        with pytest.raises(NoDocuments, match=f"{name} is {said}.*name another"):
            await find(open_source(docs / name, limits=SMALL))

    async def test_that_disappears_is_an_error(self, write, find) -> None:
        source = open_source(write({"a.md": "x"}) / "a.md")
        (Path(source.key)).unlink()
        with pytest.raises(NoDocuments):
            await find(source)


class TestGlob:
    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("*.md", ["a.md"]),
            ("**/*.md", ["a.md", "x/b.md", "x/y/c.md"]),
            ("x/**", ["b.md", "y/c.md", "y/d.txt"]),
            ("*/*.md", ["x/b.md"]),
            ("**/y/*", ["x/y/c.md", "x/y/d.txt"]),
            ("x/?/[cd].*", ["y/c.md", "y/d.txt"]),
        ],
    )
    async def test_holds_what_fits_by_its_name_below_the_first_wildcard(self, write, find, pattern, names) -> None:
        docs = write({"a.md": "x", "x/b.md": "x", "x/y/c.md": "x", "x/y/d.txt": "x", "x/.h/e.md": "x"})
        found, _ = await find(open_source(docs / pattern))
        assert sorted(found) == names

    async def test_looks_into_no_folder_that_it_need_not(self, write, docs, find, monkeypatch) -> None:
        write({"a.md": "x", "x/b.md": "x"})
        refuse_for(monkeypatch, "scandir", "x")
        (docs / "loop").symlink_to(docs)
        found, report = await find(open_source(docs / "*.md"))
        assert list(found) == ["a.md"]
        assert report == IndexReport()

    async def test_that_fits_nothing_is_an_error(self, write, find) -> None:
        with pytest.raises(NoDocuments, match=r"\*\.pdf holds no document"):
            await find(open_source(write({"a.md": "x"}) / "*.pdf"))

    @given(st.lists(st.sampled_from(["a", "b", "*", "**"]), max_size=5), st.lists(st.sampled_from("ab"), max_size=5))
    def test_every_folder_above_a_fitting_file_may_lead_to_it(self, pattern, parts) -> None:
        if _fits(parts, pattern):
            assert all(_may_lead_to(parts[:count], pattern) for count in range(len(parts)))
