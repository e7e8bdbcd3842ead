"""The record of writes: the same in SQLite and in PostgreSQL, and no write without it."""

from __future__ import annotations

import asyncio
import logging
import resource
import subprocess
import zlib

import psycopg
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from agent.consent import Write
from agent.intents import NotRecorded, PostgresIntents, SqliteIntents
from agent.once import Once
from agent.planning.plan import Call
from agent.toolset import BoundTool
from tests.support import postgres


@pytest.fixture(scope="module")
def server():
    if not postgres.is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.serve() as url:
        yield url


@pytest.fixture
def database(server, request):
    """The address of a database of the test's own."""
    name = f"d{zlib.crc32(request.node.name.encode())}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres", f"/{name}").replace("tester@", "tester:secret-word@")


@pytest.fixture(params=["sqlite", "postgres"])
def intents(request, tmp_path):
    if request.param == "sqlite":
        return SqliteIntents(tmp_path / "data" / "effects.sqlite")
    return PostgresIntents(request.getfixturevalue("database"))


@tool
def refund(order: int) -> str:
    """Give money back."""
    return f"refunded {order}"


WRITE = Write(Call(1, "call", "refund", {"order": 7}), BoundTool(refund), {"order": 7})


async def test_an_intent_is_kept_from_its_beginning_to_its_outcome(intents):
    assert await intents.find("key") is None
    await intents.begin("key", "call", "POST /refunds", 1)
    begun = await intents.find("key")
    assert (begun.call_id, begun.request, begun.attempts, begun.outcome) == ("call", "POST /refunds", 1, None)
    await intents.begin("key", "call", "POST /refunds", 2)
    await intents.finish("key", {"value": {"id": "ü"}})
    done = await intents.find("key")
    assert (done.attempts, done.outcome) == (2, {"value": {"id": "ü"}})
    assert done.sent >= begun.sent


async def test_intents_are_found_by_their_calls_and_can_be_withdrawn(intents):
    for key, call in (("a", "1"), ("b", "1"), ("c", "2")):
        await intents.begin(key, call, "x", 1)
    assert sorted(intent.key for intent in await intents.of_calls(["1", "9"])) == ["a", "b"]
    await intents.withdraw("a")
    assert [intent.key for intent in await intents.of_calls(["1", "2"])] == ["b", "c"]


async def test_of_many_that_begin_the_same_attempt_at_once_one_may_send(intents):
    for attempt in (1, 2):
        begun = await asyncio.gather(
            *(intents.begin("key", "call", "x", attempt) for _ in range(8)), return_exceptions=True
        )
        refused = [error for error in begun if error is not None]
        assert [str(error) for error in refused] == [str(refused[0])] * 7
        assert "another run of this thread is sending it" in str(refused[0])
        assert (await intents.find("key")).attempts == attempt


async def test_what_has_an_outcome_is_not_begun_again(intents):
    await intents.begin("key", "call", "x", 1)
    await intents.finish("key", {"value": 1})
    with pytest.raises(NotRecorded):
        await intents.begin("key", "call", "x", 2)


async def test_many_writes_of_a_first_plan_begin_at_once(intents):
    await asyncio.gather(*(intents.begin(f"key {number}", "call", "x", 1) for number in range(8)))
    assert len(await intents.of_calls(["call"])) == 8


async def test_two_runs_of_a_thread_at_once_send_a_write_once(intents):
    sent = []
    looked = asyncio.Barrier(2)

    class Together(type(intents)):
        """Both have looked before one of them begins."""

        async def find(self, key):
            found = await super().find(key)
            await looked.wait()
            return found

    async def send():
        sent.append(1)
        return "refunded"

    together = Together(*vars(intents).values())
    ended = await asyncio.gather(*(sent_once(together, send) for _ in range(2)), return_exceptions=True)
    assert sent == [1]
    assert sorted(type(each) for each in ended if each != "refunded") == [NotRecorded]


async def sent_once(intents, send):
    once = Once(intents, "thread", AIMessage("", id="reply"))
    [known] = await once.known([WRITE])
    return await once.send(WRITE, 0, known, send)


async def not_sent(intents):
    async def send():
        raise AssertionError("it was sent")

    with pytest.raises(NotRecorded, match="not sent") as raised:
        await sent_once(intents, send)
    return str(raised.value)


async def test_while_the_database_is_away_nothing_is_sent_and_that_is_said_without_the_password():
    away = PostgresIntents("postgresql://me:secret-word@127.0.0.1:9/none")
    with pytest.raises(NotRecorded, match="not sent, as it cannot be recorded in the database: OperationalError"):
        await away.begin("key", "call", "x", 1)
    assert "secret-word" not in await not_sent(away)


async def test_what_came_of_a_write_is_not_lost_to_its_run_when_the_database_goes_away(database, server, caplog):
    async def send():
        name = database.rpartition("/")[2]
        async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
            await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        return "refunded"

    with caplog.at_level(logging.ERROR, "agent.once"):
        assert await sent_once(PostgresIntents(database), send) == "refunded"
    assert "what came of it cannot be recorded in the database" in caplog.text
    assert "secret-word" not in caplog.text


async def goes_on_after(intents):
    await intents.finish("earlier", {"value": 1})
    return (await intents.find("earlier")).outcome == {"value": 1}


async def test_a_full_disk_keeps_a_write_from_being_sent(tmp_path):
    intents = SqliteIntents(tmp_path / "effects.sqlite")
    await intents.begin("earlier", "call", "x", 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        assert str(intents.path) in await not_sent(intents)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await goes_on_after(intents)


async def test_a_disk_that_may_only_be_read_keeps_a_write_from_being_sent(tmp_path):
    def mount(*arguments):
        return subprocess.run(["mount", *arguments, str(tmp_path)], check=False, capture_output=True).returncode == 0

    if not mount("-t", "tmpfs", "tmpfs"):
        pytest.skip("only root may mount a file system")
    try:
        intents = SqliteIntents(tmp_path / "effects.sqlite")
        await intents.begin("earlier", "call", "x", 1)
        assert mount("-o", "remount,ro")
        assert str(intents.path) in await not_sent(intents)
        assert mount("-o", "remount,rw")
        assert await goes_on_after(intents)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
