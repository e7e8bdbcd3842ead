"""The log of a process's runs, over a real database."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, update

from agent.settings import Settings
from service.records.database import open_database
from service.records.tables import events, runs
from service.runs import log as log_module
from service.runs.log import EventLog
from service.runs.records import END, STEP, TOKEN, Event, Outcome, Run
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


async def given_to(database, run, worker):
    async with database.begin() as connection:
        await connection.execute(update(runs).where(runs.c.id == run.id).values(worker=worker))
