"""Deleting threads, over what a process of the service opens."""

from __future__ import annotations

import threading
import time
from contextlib import aclosing

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from pydantic import SecretStr
from sqlalchemy import update

from agent.answer_store import AnswerStore
from agent.intents import key_of, open_intents
from agent.serving import RetentionSettings
from agent.state import record_of
from service.http.services import open_services
from service.records.tables import threads
from service.retention import DAY, Retention
from service.runs.records import TOKEN, Busy
from service.threads import deletion as deletion_module
from service.threads.archive import Archive
from service.threads.deletion import Deletion
from service.threads.store import ThreadStore
from tests.support import postgres
from tests.support.model_server import Reply

POLICY = RetentionSettings(threads_days=30)


@pytest.fixture(params=["sqlite", "postgres"])
async def services(request, settings):
    if request.param == "sqlite":
        async with open_services(settings) as services:
            yield services
        return
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.serve() as url:
        async with open_services(settings.model_copy(update={"database_url": SecretStr(url)})) as services:
            yield services


@pytest.fixture
def threads_of(services):
    return ThreadStore(services.database)


def deletion(services, cancel):
    kept = open_intents(services.settings), services.history, AnswerStore(services.settings)
    return Deletion(services.database, cancel, services.checkpointer, *kept)


async def said_first(services, run):
    """Wait until the first piece of a run's answer is there."""
    async with aclosing(services.runner.follow(run.id)) as events:
        async for event in events:
            if event.event == TOKEN:
                return


async def test_a_question_that_comes_while_its_thread_is_deleted_is_deleted_too(services, threads_of, model_server):
    gates = threading.Event(), threading.Event()
    model_server.will(*(Reply("One two three.", gate=gate) for gate in gates))
    thread = await threads_of.create("ann")
    cancelled, later = [], []

    async def cancel(run_id):
        await services.runner.cancel(run_id)
        cancelled.append(run_id)
        if not later:
            later.append(await services.runner.start(thread.id, "ann", "The secret of Mr X?"))
            await said_first(services, later[0])

    first = await services.runner.start(thread.id, "ann", "Hello?")
    await said_first(services, first)
    await deletion(services, cancel).delete(thread.id, "ann")
    for gate in gates:
        gate.set()
    await services.runner.join(later[0].id)
    assert cancelled == [first.id, later[0].id]
    assert await services.history.values(thread.id) == {}
    assert await threads_of.get(thread.id, "ann") is None


async def test_a_thread_whose_run_does_not_end_stays_whole(services, threads_of, model_server, monkeypatch):
    monkeypatch.setattr(deletion_module, "PATIENCE", 0.0)
    gate = threading.Event()
    model_server.will(Reply("One two three.", gate=gate))
    thread = await threads_of.create("ann")
    run = await services.runner.start(thread.id, "ann", "Hello?")
    await said_first(services, run)

    async def cancel(run_id):
        assert run_id == run.id

    with pytest.raises(Busy):
        await deletion(services, cancel).delete(thread.id, "ann")
    gate.set()
    assert (await services.runner.join(run.id))["text"] == "One two three."
    assert [message.content for message in (await services.history.values(thread.id))["messages"]] == [
        "Hello?",
        "One two three.",
    ]


class Meanwhile(Archive):
    """An archive whose threads are used between the look at which have had their time and their deletion."""

    def __init__(self, services, use):
        super().__init__(services.database, services.checkpointer, services.deletion)
        self._use = use

    async def unused_since(self, before):
        found = await super().unused_since(before)
        await self._use()
        return found


async def test_what_is_used_again_has_not_had_its_time(services, threads_of, model_server):
    gate = threading.Event()
    model_server.will("I am back.", Reply("One two three.", gate=gate))
    answered, waits, _ = [await threads_of.create("ann") for _ in range(3)]
    async with services.database.begin() as connection:
        await connection.execute(update(threads).values(updated=time.time() - 31 * DAY))

    async def use():
        run = await services.runner.start(answered.id, "ann", "Still there?")
        await services.runner.join(run.id)
        run = await services.runner.start(waits.id, "ann", "And you?")
        await said_first(services, run)
        async with services.database.begin() as connection:
            await connection.execute(update(threads).where(threads.c.id == waits.id).values(updated=1.0))

    await Retention(POLICY, Meanwhile(services, use), services.documents).apply()
    gate.set()
    kept = {thread.id for thread in await threads_of.page("ann", limit=9)}
    assert kept == {answered.id, waits.id}
    assert [message.content for message in (await services.history.values(answered.id))["messages"]] == [
        "Still there?",
        "I am back.",
    ]


async def test_a_thread_of_the_command_line_that_is_used_again_has_not_had_its_time(services):
    config = RunnableConfig(configurable={"thread_id": "bare"})
    await services.graph.aupdate_state(config, {"messages": [HumanMessage("Hello?")]}, as_node="responder")
    archive = Archive(services.database, services.checkpointer, services.deletion)
    before = time.time()
    [thread] = await archive.unused_since(before)
    await services.graph.aupdate_state(config, {"messages": [HumanMessage("And?")]}, as_node="responder")
    assert not await archive.delete_unused(thread, before)
    assert await services.history.values("bare")
    assert await archive.delete_unused(thread, time.time())
    assert await services.history.values("bare") == {}


async def test_which_records_of_writes_are_a_threads_own_is_found_out_beside_what_else_is_served(
    services, threads_of, monkeypatch
):
    thread, fork = [await threads_of.create("ann") for _ in range(2)]
    call = {"name": "pay", "args": {}, "id": "call"}
    config = RunnableConfig(configurable={"thread_id": thread.id})
    reply = AIMessage("", id="reply", tool_calls=[call])
    await services.graph.aupdate_state(config, {"messages": [reply]}, as_node="responder")
    record = record_of(reply, "call")
    intents = open_intents(services.settings)
    for owner in (thread, fork):
        for element in range(3):
            await intents.begin(key_of(owner.id, record, element), record, "{}", 1)
    made = []

    def recorded(*arguments):
        made.append((arguments, threading.current_thread() is threading.main_thread()))
        return key_of(*arguments)

    monkeypatch.setattr(deletion_module, "key_of", recorded)
    await services.deletion.delete(thread.id, "ann")
    left = {intent.key for intent in await intents.of_calls([record])}
    assert left == {key_of(fork.id, record, element) for element in range(3)}
    assert len(made) == len({arguments for arguments, _ in made})
    assert not any(in_the_loop for _, in_the_loop in made)
