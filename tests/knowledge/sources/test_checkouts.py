"""Git working copies, made with the real git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.knowledge.documents import IndexReport, NoDocuments
from agent.knowledge.sources import open_source

Git = Callable[..., str]


@pytest.fixture
def git(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    monkeypatch.setenv("HOME", str(tmp_path))

    def git(*arguments: str, at: Path = docs) -> str:
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@mail.example"]
        return subprocess.run(
            ["git", *person, *arguments], cwd=at, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    return git


async def test_holds_what_git_tracks_or_would_and_nothing_ignored(write, git, docs, find) -> None:
    write({".gitignore": "build/\n*.tmp.md\n", "a.md": "x", "guides/größe b.md": "x", "old.md": "x"})
    git("add", ".")
    git("commit", "-m", "first")
    write({"new.md": "x", "build/out.md": "x", "x.tmp.md": "x", "logo.png": "x", ".github/x.md": "x"})
    (docs / "old.md").unlink()
    found, report = await find(open_source(docs))
    assert list(found) == ["a.md", "guides/größe b.md", "new.md"]
    assert found["a.md"].uri == str(docs / "a.md")
    assert report == IndexReport(
        skipped=[
            (".github/x.md", "hidden"),
            (".gitignore", "hidden"),
            ("logo.png", "not a kind of document that is read"),
        ]
    )


async def test_leaves_other_repositories_in_it_alone(write, git, docs, find) -> None:
    write({"a.md": "x", "nested/b.md": "x"})
    git("init", at=docs / "nested")
    git("add", "a.md")
    assert list((await find(open_source(docs)))[0]) == ["a.md"]


async def test_a_folder_replaced_by_a_link_leads_nowhere(write, git, docs, find, tmp_path) -> None:
    write({"a.md": "x", "guides/b.md": "x"})
    git("add", ".")
    (docs / "guides").rename(tmp_path / "outside")
    (docs / "guides").symlink_to(tmp_path / "outside")
    found, report = await find(open_source(docs))
    assert list(found) == ["a.md"]
    assert ("guides/b.md", "a link to a folder, or out of this one") in report.skipped


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Path]:
    """A program that must not run."""
    ran, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    yield program
    assert not ran.exists()


async def test_its_own_configuration_runs_nothing_and_leads_nowhere_else(
    write, git, docs, find, trap, tmp_path
) -> None:
    write({"a.md": "x"})
    (tmp_path / "other").mkdir()
    git("add", ".")
    for name in ("core.fsmonitor", "core.pager", "pager.ls-files", "core.sshCommand", "core.editor"):
        git("config", name, str(trap))
    git("config", "alias.ls-files", f"!{trap}")
    git("config", "core.worktree", str(tmp_path / "other"))
    write({"new.md": "x"})
    assert list((await find(open_source(docs)))[0]) == ["a.md", "new.md"]


async def test_a_missing_object_is_not_fetched(write, git, docs, find, trap) -> None:
    """Git would look up a .gitignore that is not checked out, and fetch it by a program that the repository names."""
    write({"a.md": "x", "sub/.gitignore": "*.tmp.md", "sub/b.md": "x"})
    git("add", ".")
    git("commit", "-m", "first")
    git("update-index", "--skip-worktree", "sub/.gitignore")
    (docs / "sub/.gitignore").unlink()
    blob = git("rev-parse", ":sub/.gitignore")
    (docs / ".git/objects" / blob[:2] / blob[2:]).unlink()
    git("config", "core.repositoryformatversion", "1")
    git("config", "extensions.partialClone", "origin")
    git("config", "remote.origin.promisor", "true")
    git("config", "remote.origin.url", str(docs))
    git("config", "remote.origin.uploadpack", str(trap))
    write({"sub/new.md": "x"})
    assert list((await find(open_source(docs)))[0]) == ["a.md", "sub/b.md", "sub/new.md"]


async def test_that_is_damaged_is_not_taken_for_a_part_of_one_above(write, git, docs, find) -> None:
    write({"a.md": "x", "inner/b.md": "x", "inner/.git/HEAD": "x"})
    with pytest.raises(NoDocuments, match=r"Git cannot list the files of .*inner: fatal: not a git repository"):
        await find(open_source(docs / "inner"))


async def test_variables_of_another_repository_do_not_matter(write, git, docs, find, monkeypatch, tmp_path) -> None:
    write({"a.md": "x"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert list((await find(open_source(docs)))[0]) == ["a.md"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another")
async def test_of_another_person_says_what_git_says(write, git, docs, find) -> None:
    write({"a.md": "x"})
    os.chown(docs, 12345, 12345)
    os.chown(docs / ".git", 12345, 12345)
    with pytest.raises(NoDocuments, match=r"dubious ownership(.|\n)*safe.directory"):
        await find(open_source(docs))


async def test_without_git_says_so(write, git, docs, find, monkeypatch) -> None:
    write({"a.md": "x"})
    source = open_source(docs)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoDocuments, match="git is not found: install it"):
        await find(source)
