"""The work of a process's runs."""

from __future__ import annotations

import asyncio

from service.runs.tasks import Tasks


async def test_work_that_begins_while_the_work_before_it_is_settled_is_the_runs_from_then_on():
    tasks = Tasks()
    settling, decided, settled, stopped = (asyncio.Event() for _ in range(4))
    reasons = []

    async def ask():
        return "question"

    async def first_settled(*_):
        settling.set()
        await decided.wait()
        settled.set()

    async def second_settled(_, why):
        reasons.append(why)
        stopped.set()

    tasks.start("run", ask(), first_settled)
    await settling.wait()
    tasks.start("run", asyncio.Event().wait(), second_settled)
    decided.set()
    await settled.wait()
    assert "run" in tasks
    tasks.stop("run", "cancelled")
    await stopped.wait()
    assert reasons == ["cancelled"]
