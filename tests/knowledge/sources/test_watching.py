"""Watching real files and folders."""

from __future__ import annotations

import asyncio
import logging
import shutil
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from agent.knowledge.sources import Site, changes, open_source

Watch = Callable[..., AsyncIterator[Any]]


@pytest.fixture(autouse=True)
def never_block() -> Any:
    with blockbuster_ctx("agent"):
        yield


async def sources(*specs: Any) -> list[Any]:
    return [await asyncio.to_thread(open_source, spec) for spec in specs]


async def until(watched: AsyncIterator[set[Any]], *wanted: Any) -> set[Any]:
    """What was given until it held the wanted. The system may tell of one change in several pieces."""
    given: set[Any] = set()
    while not given >= set(wanted):
        given |= await anext(watched)
    return given


async def until_missing(waiting: asyncio.Future[Any], caplog: pytest.LogCaptureFixture) -> None:
    while "missing" not in caplog.text:
        await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()


async def test_all_that_exist_are_given_first_and_then_those_that_change(write, docs) -> None:
    write({"one/a.md": "x", "two/b.md": "x"})
    one, two = await sources(docs / "one", docs / "two")
    async with aclosing(changes([one, two, Site("https://docs.example/")])) as watched:
        assert await anext(watched) == {one, two}
        write({"two/deep/c.md": "x"})
        assert await until(watched, two) == {two}
        (docs / "one/a.md").unlink()
        await until(watched, one)


async def test_hidden_files_are_no_changes_and_patterns_have_their_own(write, docs) -> None:
    write({"a.md": "x", "sub/b.txt": "x"})
    folder, pattern = await sources(docs, docs / "*.md")
    async with aclosing(changes([folder, pattern])) as watched:
        assert await anext(watched) == {folder, pattern}
        write({".git/index": "x", ".a.md.swp": "x"})
        write({"sub/b.txt": "y"})
        assert await until(watched, folder) == {folder}
        write({"a.md": "y"})
        await until(watched, folder, pattern)


async def test_a_folder_that_disappears_is_waited_for(write, docs, caplog) -> None:
    write({"one/a.md": "x", "two/b.md": "x"})
    one, two = await sources(docs / "one", docs / "two")
    with caplog.at_level(logging.INFO):
        async with aclosing(changes([one, two])) as watched:
            assert await anext(watched) == {one, two}
            await asyncio.to_thread(shutil.rmtree, docs / "one")
            waiting = asyncio.ensure_future(anext(watched))
            await until_missing(waiting, caplog)
            write({"one/c.md": "x"})
            assert await waiting == {one}
            write({"one/d.md": "x"})
            await until(watched, one)
            write({"two/e.md": "x"})
            await until(watched, two)
    assert [record.message for record in caplog.records if record.name.startswith("agent.")] == [
        f"{one.key} is missing: it is watched again when it is back, and its index stays as it is",
        f"{one.key} is back",
    ]


async def test_what_is_missing_from_the_start_is_waited_for(write, docs, caplog) -> None:
    [folder] = await sources(docs / "later")
    async with aclosing(changes([folder])) as watched:
        waiting = asyncio.ensure_future(anext(watched))
        await until_missing(waiting, caplog)
        write({"later/a.md": "x"})
        assert await waiting == {folder}


async def test_a_file_that_is_replaced_stays_watched(docs, write) -> None:
    write({"notes.md": "x"})
    with zipfile.ZipFile(docs / "m.zip", "w") as archive:
        archive.writestr("a.md", "x")
    file, archived = await sources(docs / "notes.md", docs / "m.zip")
    async with aclosing(changes([file, archived])) as watched:
        assert await anext(watched) == {file, archived}
        for _ in range(2):
            write({"new": "y"})
            (docs / "new").replace(docs / "notes.md")
            assert await until(watched, file) == {file}
        (docs / "m.zip").write_bytes(b"new")
        await until(watched, archived)


async def test_without_anything_to_watch_ends() -> None:
    assert [touched async for touched in changes([Site("https://docs.example/")])] == []
