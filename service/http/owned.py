"""Threads and runs of a caller. Another's are not there."""

from __future__ import annotations

from service.http.bodies import Action, Waiting
from service.http.callers import Caller
from service.http.problems import not_found
from service.http.services import Services
from service.runs.records import WAITING, Run
from service.threads.store import Thread, ThreadStore


async def thread_of(thread_id: str, shared: Services, caller: Caller) -> Thread:
    """Return a thread of the caller.

    Raises:
        Problem: there is none.
    """
    thread = await ThreadStore(shared.database).get(thread_id, caller.owner)
    if thread is None:
        raise not_found("thread")
    return thread


async def run_of(run_id: str, shared: Services, caller: Caller) -> Run:
    """Return a run of the caller.

    Raises:
        Problem: there is none.
    """
    run = await shared.runner.store.get(run_id)
    if run is None or run.owner != caller.owner:
        raise not_found("run")
    return run


async def run_under_way(thread: Thread, shared: Services) -> Run | None:
    """Return the run of a thread that is under way or waits, if there is one."""
    return await shared.runner.store.of_thread(thread.id) if thread.status != "idle" else None


async def waiting_of(run: Run, thread: Thread, shared: Services) -> Waiting | None:
    """Return what a run waits for, if it does."""
    question = await shared.runner.question(run) if run.status == WAITING else None
    if question is None:
        return None
    actions = [Action(**action) for action in question.actions]
    return Waiting(run_id=run.id, thread_id=thread.id, title=thread.title, since=run.created, actions=actions)
