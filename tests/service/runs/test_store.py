"""The rows of runs, in either database, where several processes change them at once."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import insert, text

from agent.settings import Settings
from service.records.database import open_database
from service.records.tables import runs, threads
from service.runs.records import Busy, NotWaiting, Run, TooMany
from service.runs.store import RunStore

THREADS = 12


@pytest.fixture
async def database(service_database):
    thread = {"owner": "ann", "title": "", "origin": "api", "details": {}, "created": 1.0, "updated": 1.0}
    async with service_database.begin() as connection:
        await connection.execute(threads.delete())
        await connection.execute(insert(threads), [{"id": f"t{number}", **thread} for number in range(THREADS)])
    return service_database


def asked(number, name="r"):
    return Run(f"{name}{number}", f"t{number}", "ann", "queued", {"text": "hi"}, {}, None, time.time())


async def all_of(database, status):
    async with database.connect() as connection:
        return len((await connection.execute(runs.select().where(runs.c.status == status))).all())


async def test_of_runs_that_are_started_at_once_there_are_no_more_than_their_owner_may_have(database):
    stores = [RunStore(database, f"process {number}") for number in range(3)]
    started = [stores[number % 3].add(asked(number), queue=False, most=4) for number in range(THREADS)]
    ended = await asyncio.gather(*started, return_exceptions=True)
    refused = [error for error in ended if isinstance(error, Exception)]
    assert {type(error) for error in refused} == {TooMany}
    assert await all_of(database, "running") == 4
    await stores[0].add(asked(THREADS - 1, "last"), queue=False)  # for whom there is no limit


@pytest.mark.parametrize("queue", [False, True])
async def test_a_question_that_comes_with_a_decision_waits_for_its_run_or_takes_its_place(database, queue):
    one, other = RunStore(database, "one"), RunStore(database, "other")
    waiting = [{**vars(asked(number)), "status": "waiting"} for number in range(THREADS)]
    async with database.begin() as connection:
        await connection.execute(insert(runs), waiting)
    at_once = [
        each
        for number in range(THREADS)
        for each in (one.decide(f"r{number}", {}, 0), other.add(asked(number, "new"), queue=queue))
    ]
    ended = await asyncio.gather(*at_once, return_exceptions=True)
    assert {type(error) for error in ended if isinstance(error, Exception)} <= {Busy, NotWaiting}
    assert await all_of(database, "running") == THREADS
    decided = sum(isinstance(each, Run) for each in ended[::2])
    assert await all_of(database, "queued") == (decided if queue else 0)


async def test_counting_the_runs_of_an_owner_reads_no_others(tmp_path):
    async with open_database(Settings(data_dir=tmp_path)) as database, database.connect() as connection:
        counted = "SELECT count(*) FROM runs WHERE owner = 'ann' AND status IN ('queued', 'running')"
        [plan] = (await connection.execute(text(f"EXPLAIN QUERY PLAN {counted}"))).all()
    assert "(owner=? AND status=?)" in plan[-1]
