"""A write takes effect once, wherever its process is killed; and what nobody can know is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import ValidationError

from agent.checkpoints import open_checkpointer
from agent.consent import Write
from agent.intents import NotRecorded, SqliteIntents, key_of
from agent.once import Once, OutcomeUnknown
from agent.planning.plan import Call
from agent.state import record_of
from agent.toolset import BoundTool
from graphs.assistant import build
from tests.graphs.killed_writes import BOUNDARIES
from tests.support.model_server import Reply
from tools.calculator import calculator
from tools.effects import reads
from tools.openapi.errors import CallFailed, Status

ROOT = Path(__file__).parents[2]
PLAN = Reply(calls=[("first", {}), ("second", {"after": "${1}"})])


@pytest.fixture(scope="module")
def forks():
    command = [sys.executable, "-W", "ignore", "-m", "tests.graphs.killed_writes"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
    assert process.returncode == 0


@pytest.fixture
def run(forks, model_server, tmp_path):
    def once(do, honours=True, die=None, approvals="never", database=None, apis=()):
        given = {
            "do": do,
            "die": die or {},
            "honours": honours,
            "approvals": approvals,
            "database": database,
            "apis": list(apis),
            "folder": str(tmp_path),
            "url": model_server.url,
        }
        forks.stdin.write(json.dumps(given) + "\n")
        forks.stdin.flush()
        return json.loads(forks.stdout.readline())

    return once


def effects(folder):
    log = folder / "effects.log"
    return [json.loads(line)["name"] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("write", ["first", "second"])
@pytest.mark.parametrize("at", BOUNDARIES)
def test_with_keys_that_are_honoured_a_killed_run_ends_with_each_effect_once(run, model_server, tmp_path, at, write):
    model_server.will(PLAN, "Both done.")
    assert run("start", honours=True, die={"write": write, "at": at}) == {"killed": True}
    ended = run("go on", honours=True)
    assert (ended["statuses"], ended["text"]) == (["finished", "finished"], "Both done.")
    assert effects(tmp_path) == ["first", "second"]


@pytest.mark.parametrize("write", ["first", "second"])
@pytest.mark.parametrize("at", BOUNDARIES)
def test_without_keys_a_killed_run_repeats_nothing_and_asks_what_it_cannot_know(run, model_server, tmp_path, at, write):
    model_server.will(PLAN, "Both done.")
    assert run("start", honours=False, die={"write": write, "at": at}) == {"killed": True}
    before = effects(tmp_path)
    ended = run("go on", honours=False)
    if at in {"after intent", "request left", "response there"}:
        [asked] = ended["asks"]
        assert "whether it took effect is not known. Send it again?" in asked["description"]
        assert effects(tmp_path) == before
        ended = run("reject" if write in before else "approve", honours=False)
        assert write not in before or "whether it took effect is not known. A person" in ended["errors"]
    taken = effects(tmp_path)
    assert taken in (["first", "second"], ["first"])
    assert len(taken) == len(set(taken))
    assert not ended["asks"]


def test_a_write_that_is_cut_off_twice_is_asked_about_twice(run, model_server, tmp_path):
    model_server.will(PLAN, "Both done.")
    run("start", honours=False, die={"write": "first", "at": "after intent"})
    assert len(run("go on", honours=False)["asks"]) == 1
    assert run("approve", honours=False, die={"write": "first", "at": "after intent"}) == {"killed": True}
    assert len(run("go on", honours=False)["asks"]) == 1
    assert effects(tmp_path) == []
    assert run("approve", honours=False)["text"] == "Both done."
    assert effects(tmp_path) == ["first", "second"]


@pytest.mark.parametrize("at", BOUNDARIES)
def test_an_approval_that_comes_after_a_restart_still_works(run, model_server, tmp_path, at):
    model_server.will(PLAN, "Both done.")
    assert [asked["name"] for asked in run("start", honours=True, approvals="always")["asks"]] == ["first"]
    assert run("approve", honours=True, approvals="always", die={"write": "first", "at": at}) == {"killed": True}
    assert [asked["name"] for asked in run("go on", honours=True, approvals="always")["asks"]] == ["second"]
    assert run("approve", honours=True, approvals="always")["text"] == "Both done."
    assert effects(tmp_path) == ["first", "second"]


class Payments:
    """Payments that are held back while `hold` is set."""

    def __init__(self) -> None:
        self.hold = asyncio.Event()
        self.started: asyncio.Queue[int] = asyncio.Queue()
        self.paid: list[int] = []

    @property
    def tools(self):
        @reads
        @tool
        async def bills() -> list[int]:
            """List the bills."""
            return [1, 2, 3]

        @tool
        async def pay(bill: int) -> str:
            """Pay a bill."""
            self.started.put_nowait(bill)
            await self.hold.wait()
            self.paid.append(bill)
            return f"paid {bill}"

        return [bills, pay]

    async def cut_off(self, run, after):
        """Cancel a run once so many payments are under way."""
        running = asyncio.create_task(run)
        for _ in range(after):
            await asyncio.wait_for(self.started.get(), 20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def payments():
    return Payments()


@pytest.fixture
async def paying(payments, settings, model_server):
    model_server.will(Reply(calls=[("bills", {}), ("pay", {"bill": "${1[*]}"})]), "Done.")
    async with open_checkpointer(settings) as checkpointer:
        yield build(tools=payments.tools, settings=settings, checkpointer=checkpointer)


THREAD = {"configurable": {"thread_id": "1"}}
PAY = {"messages": [("user", "Pay my bills.")]}


def decisions(*types):
    return Command(resume={"decisions": [{"type": kind} for kind in types]})


def asked(state):
    [interrupt] = state["__interrupt__"]
    return [action["args"]["bill"] for action in interrupt.value["action_requests"]]


async def test_executions_that_were_cut_off_together_are_asked_about_together_each_time(payments, paying):
    await payments.cut_off(paying.ainvoke(PAY, THREAD), after=3)
    assert asked(await paying.ainvoke(None, THREAD)) == [1, 2, 3]
    await payments.cut_off(paying.ainvoke(decisions("approve", "reject", "approve"), THREAD), after=2)
    assert asked(await paying.ainvoke(None, THREAD)) == [1, 3]
    payments.hold.set()
    state = await paying.ainvoke(decisions("reject", "approve"), THREAD)
    assert payments.paid == [3]
    assert [part[:10] for part in state["plan"][1]["error"].split("; ")] == ["element 0:", "element 1:"]


async def test_an_answer_about_what_was_cut_off_that_does_not_fit_is_refused_and_can_be_given_again(payments, paying):
    await payments.cut_off(paying.ainvoke(PAY, THREAD), after=3)
    await paying.ainvoke(None, THREAD)
    with pytest.raises(ValidationError, match="one decision for each call"):
        await paying.ainvoke(decisions("approve"), THREAD)
    payments.hold.set()
    await paying.ainvoke(decisions("approve", "reject", "reject"), THREAD)
    assert payments.paid == [1]


REPLY = AIMessage("", id="reply")
REFUND = Write(Call(1, "call", "refund", {"order": 7}), BoundTool(calculator), {"order": 7})


def failing(status):
    async def send():
        raise CallFailed(f"POST /refunds was answered {status}", Status(status))

    return send


@pytest.mark.parametrize(("status", "known"), [(400, True), (409, True), (503, True), (500, False), (504, False)])
async def test_what_a_broken_server_or_a_tired_gateway_answers_leaves_the_outcome_open(tmp_path, status, known):
    intents = SqliteIntents(tmp_path / "effects.sqlite")
    with pytest.raises(ToolException) as failed:
        await Once(intents, "thread", REPLY).send(REFUND, 0, None, failing(status))
    assert ("whether it took effect is not known" in str(failed.value)) is not known
    assert ((await intents.find(key_of("thread", record_of(REPLY, "call"), 0))).outcome is not None) is known


async def test_a_write_sent_again_while_the_first_is_still_at_work_is_not_taken_for_a_failure(tmp_path):
    intents = SqliteIntents(tmp_path / "effects.sqlite")
    key = key_of("thread", record_of(REPLY, "call"), 0)
    await intents.begin(key, "call", "POST /refunds", 1)
    calculator_with_keys = calculator.model_copy(update={"metadata": {"honours_key": True}})
    again = Write(REFUND.call, BoundTool(calculator_with_keys), REFUND.args)
    once = Once(intents, "thread", REPLY)
    with pytest.raises(OutcomeUnknown, match="409; it was sent, but whether it took effect is not known"):
        await once.send(again, 0, (await once.known([again]))[0], failing(409))
    assert (await intents.find(key)).outcome is None


async def test_an_intent_that_cannot_be_recorded_keeps_the_write_from_being_sent(tmp_path):
    (tmp_path / "effects.sqlite").mkdir()
    with pytest.raises(NotRecorded, match="not sent"):
        await SqliteIntents(tmp_path / "effects.sqlite").begin("key", "call", "request", 1)


async def test_a_write_is_not_sent_before_the_plan_that_holds_it_is_kept(settings, model_server):
    seen = []

    class SlowSaver(InMemorySaver):
        async def aput(self, config, checkpoint, metadata, new_versions):
            await asyncio.sleep(0.1)  # as a busy disk
            if checkpoint["channel_versions"].get("branch:to:executor"):
                seen.append("kept")
            return await super().aput(config, checkpoint, metadata, new_versions)

    @tool
    def act() -> str:
        """Do it."""
        seen.append("sent")
        return "done"

    model_server.will(Reply(calls=[("act", {})]), "Done.")
    graph = build(tools=[act], settings=settings, checkpointer=SlowSaver())
    await graph.ainvoke({"messages": [("user", "Do it.")]}, {"configurable": {"thread_id": "1"}})
    assert seen[:2] == ["kept", "sent"]


def test_a_key_stays_the_same_for_a_call_and_is_another_for_every_other():
    keys = {key_of(thread, call, element) for thread in "ab" for call in "cd" for element in (0, 1)}
    assert len(keys) == 8
    assert key_of("a", "c", 0) in keys
