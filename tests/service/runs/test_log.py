"""The log of a process's runs, over a real database."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from sqlalchemy import insert, update

from agent.settings import Settings
from service.records.database import open_database
from service.records.tables import events, runs
from service.runs import log as log_module
from service.runs.log import EventLog
from service.runs.records import ANSWER, END, RESTART, STEP, TOKEN, Event, Outcome, Run
from service.runs.store import RunStore
from service.threads.store import ThreadStore


@pytest.fixture
async def database(tmp_path):
    async with open_database(Settings(data_dir=tmp_path)) as database:
        yield database


@pytest.fixture
async def run(database):
    thread = await ThreadStore(database).create("ann")
    wanted = Run(
        id="run",
        thread_id=thread.id,
        owner="ann",
        status="queued",
        input={"text": "How long?"},
        context={},
        key_id=None,
        created=0.0,
    )
    return await RunStore(database, "here").add(wanted, queue=False)


async def test_pieces_that_follow_one_another_are_written_together_and_nothing_else_waits(database, run, monkeypatch):
    monkeypatch.setattr(log_module, "PIECES_EVERY", 3600)
    log = EventLog(database, "here", lambda *_: None)
    async with log.open():
        with log.listening(run.id) as told:
            log.add(run, TOKEN, {"text": "With"})
            assert await told.get() == Event(1, TOKEN, {"text": "With"})
            log.add(run, TOKEN, {"text": "in "})
            await log.last_numbers([run.id])  # time enough to have written it
            log.add(run, TOKEN, {"text": "30 days."})
            assert told.empty()
            log.add(run, STEP, {"tool": "search"})
            assert [await told.get(), await told.get()] == [
                Event(2, TOKEN, {"text": "in 30 days."}),
                Event(3, STEP, {"tool": "search"}),
            ]
            log.add(run, TOKEN, {"text": "And"})
            assert (await told.get()).number == 4
            await log.close(run, END, {"status": "finished"}, Outcome("finished"))
            assert (await told.get()).event == END


async def test_a_run_that_comes_back_from_another_process_is_numbered_on_from_there(database, run):
    lost = asyncio.Event()

    def stop(run_id, _):
        log.forget(run_id)
        lost.set()

    log = EventLog(database, "here", stop)
    async with log.open():
        with log.listening(run.id) as told:
            log.add(run, TOKEN, {"text": "With"})
            assert (await told.get()).number == 1
            await given_to(database, run, "there")
            log.add(run, STEP, {"tool": "never told"})
            await lost.wait()
            async with database.begin() as connection:
                await connection.execute(
                    insert(events), {"run_id": run.id, "number": 2, "event": TOKEN, "data": {"text": "in"}}
                )
            await given_to(database, run, "here")
            log.add(run, STEP, {"tool": "search"})
            assert (await told.get()).number == 3


class Commits:
    """Lets commits of a database seem to fail, before or after they were done."""

    def __init__(self, database, monkeypatch):
        self.fail, self.done_before = False, False
        self.failed = asyncio.Event()
        self._commit = database.dialect.do_commit
        monkeypatch.setattr(database.sync_engine.dialect, "do_commit", self)

    def __call__(self, connection):
        if not self.fail:
            self._commit(connection)
            return
        if self.done_before:
            self._commit(connection)
        self.failed.set()
        raise sqlite3.OperationalError("disk I/O error")


@pytest.fixture
async def elsewhere(database, tmp_path):
    """The same database, as another process has it open."""
    async with open_database(Settings(data_dir=tmp_path)) as elsewhere:
        yield elsewhere


@pytest.fixture
def commits(database, monkeypatch):
    monkeypatch.setattr(log_module, "RETRY_AFTER", (0.01,) * 3000)
    return Commits(database, monkeypatch)


async def test_what_could_not_be_written_of_a_run_before_it_was_lost_is_never_written(
    database, run, elsewhere, commits
):
    stopped = []
    log = EventLog(database, "here", lambda *lost: stopped.append(lost))
    async with log.open():
        with log.listening(run.id) as told:
            log.add(run, TOKEN, {"text": "With"})
            assert (await told.get()).number == 1
            commits.fail = True
            log.add(run, ANSWER, {"text": "Within"})
            ending = asyncio.create_task(log.close(run, END, {"status": "finished"}, Outcome("finished")))
            await commits.failed.wait()
            await given_to(elsewhere, run, "there")
            async with elsewhere.begin() as connection:
                await connection.execute(insert(events), {"run_id": run.id, "number": 2, "event": RESTART, "data": {}})
            commits.fail = False
            await ending
            assert told.empty()
    assert set(stopped) == {(run.id, "lost")}
    assert [event.event for event in await log.read(run.id, 0)] == [TOKEN, RESTART]
    assert (await RunStore(database, "here").get(run.id)).status == "running"


async def test_what_was_written_by_a_commit_that_seemed_to_fail_is_told_and_not_written_again(database, run, commits):
    log = EventLog(database, "here", lambda *_: None)
    async with log.open():
        with log.listening(run.id) as told:
            commits.fail = commits.done_before = True
            log.add(run, ANSWER, {"text": "Within"})
            ending = asyncio.create_task(log.close(run, END, {"status": "finished"}, Outcome("finished")))
            await commits.failed.wait()
            commits.fail = False
            await ending
            assert [(await told.get()).event, (await told.get()).event] == [ANSWER, END]
    assert [event.number for event in await log.read(run.id, 0)] == [1, 2]
    assert (await RunStore(database, "here").get(run.id)).status == "finished"


async def test_a_run_that_is_lost_when_it_ends_and_comes_back_is_numbered_on_from_there(database, run):
    log = EventLog(database, "here", lambda *_: None)
    async with log.open():
        with log.listening(run.id) as told:
            log.add(run, TOKEN, {"text": "With"})
            assert (await told.get()).number == 1
            await given_to(database, run, "there")
            await log.close(run, END, {"status": "finished"}, Outcome("finished"))
            async with database.begin() as connection:
                await connection.execute(insert(events), {"run_id": run.id, "number": 2, "event": RESTART, "data": {}})
            await given_to(database, run, "here")
            log.add(run, STEP, {"tool": "search"})
            assert (await told.get()).number == 3


async def given_to(database, run, worker):
    async with database.begin() as connection:
        await connection.execute(update(runs).where(runs.c.id == run.id).values(worker=worker))
