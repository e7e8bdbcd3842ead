"""The ledger: the same in SQLite and in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from sqlalchemy import text, update

from agent.budgets import BudgetSpent, Limit
from agent.ledger.ledger import Ledger
from agent.ledger.records import BY, LedgerUnavailable, Most, Wanted, Who, total
from agent.ledger.sums import charged
from agent.ledger.tables import calls
from agent.settings import Settings
from agent.usage import begun_call

ANN = Who(owner="ann", persona="tutor", turn="q1", thread="t1", key="k1")


def call(model="openai:gpt-6-luna", **values):
    return {**begun_call("planner", 1, model), "input": 100, "output": 10, "cost": 0.5, **values}


async def test_calls_are_summed_by_whatever_they_are_of(ledger):
    await ledger.record(ANN, [call(cached=60, cache_write=5, reasoning=4)])
    await ledger.record(Who(owner="bob", persona="sql", turn="q2", thread="t2"), [call("local", cost=0.0), call()])
    for by in BY:
        groups = await ledger.used(Wanted(by))
        assert sum(group.calls for group in groups) == 3, by
    [ann, bob] = await ledger.used(Wanted("owner"))
    assert (ann.key, ann.input, ann.cached, ann.cache_write, ann.output, ann.reasoning) == ("ann", 100, 60, 5, 10, 4)
    assert (bob.key, bob.calls, bob.cost) == ("bob", 2, 0.5)
    assert [group.key for group in await ledger.used(Wanted("thread", owner="ann"))] == ["t1"]
    assert await ledger.used(Wanted(until="2020-01-01")) == []


async def test_what_is_not_known_is_not_nothing(ledger):
    await ledger.record(ANN, [call(), call("compatible:x", cost=None)])
    together = total(await ledger.used(Wanted("model")))
    assert (together.cost, together.known_cost, together.unknown) == (None, 0.5, 1)


async def test_a_call_is_recorded_once_however_often_that_is_done(ledger):
    made = call()
    await asyncio.gather(*(ledger.record(ANN, [made, {**made, "cost": 9.0}]) for _ in range(4)))
    [day] = await ledger.used(Wanted())
    assert (day.calls, day.cost) == (1, 0.5)


async def test_of_many_calls_at_once_as_many_are_made_as_the_budget_holds(ledger):
    limits = {"owner": Limit(cost=1.0)}
    made = [call() for _ in range(8)]
    ended = await asyncio.gather(
        *(ledger.reserve(ANN, each, limits, Most(0.3, 500)) for each in made), return_exceptions=True
    )
    spent = [error for error in ended if error]
    assert {type(error) for error in spent} == {BudgetSpent}
    assert len(spent) == 5
    assert "$0.9 of $1.00 is used" in str(spent[0])
    assert "free again on" in str(spent[0])
    # Once a call is settled, what it did not use is there for others.
    first = next(each for each, error in zip(made, ended, strict=True) if error is None)
    await ledger.record(ANN, [{**first, "cost": 0.01}])
    await ledger.reserve(ANN, call(), limits, Most(0.3, 500))


async def test_whoever_else_is_asked_for_has_a_budget_of_their_own(ledger):
    limits = {"owner": Limit(tokens=500), "thread": Limit(tokens=800)}
    await ledger.reserve(ANN, call(), limits, Most(None, 500))
    with pytest.raises(BudgetSpent, match="Your budget for today is spent: 500 of 500 tokens"):
        await ledger.reserve(ANN, call(), limits, Most(None, 500))
    with pytest.raises(BudgetSpent, match="of this thread"):
        await ledger.reserve(Who(owner="bob", turn="q2", thread="t1"), call(), limits, Most(None, 500))
    await ledger.reserve(Who(owner="bob", turn="q2", thread="t2"), call(), limits, Most(None, 500))


async def test_what_a_process_that_died_had_reserved_lapses(ledger):
    limits = {"day": Limit(cost=0.3)}
    await ledger.reserve(ANN, call(), limits, Most(0.3, 1))
    with pytest.raises(BudgetSpent, match="everybody together is spent"):
        await ledger.reserve(ANN, call(), limits, Most(0.3, 1))
    with ledger.store()._engine.begin() as db:
        db.execute(update(calls).values(open_until=1.0))
    await ledger.reserve(ANN, call(), limits, Most(0.3, 1))
    assert await ledger.used(Wanted()) == []


async def test_a_call_that_its_provider_did_not_count_is_charged_what_was_reserved_for_it(ledger):
    limits = {"turn": Limit(cost=1.0, tokens=1000)}
    made = call(input=0, output=0, cost=None)
    await ledger.reserve(ANN, made, limits, Most(0.9, 900))
    await ledger.record(ANN, [made])
    [turn] = await ledger.standing(ANN, limits)
    assert (turn.cost, turn.tokens, turn.left.tokens) == (0.9, 900, 100)


@pytest.mark.parametrize(
    ("scope", "read"),
    [
        ("day", "USING COVERING INDEX model_calls_charged (day=?)"),
        ("owner", "USING COVERING INDEX model_calls_charged (day=? AND owner=?)"),
        ("key", "USING INDEX model_calls_of_key (day=? AND key=?)"),
        ("thread", "USING INDEX model_calls_of_thread (thread=?)"),
        ("turn", "USING INDEX model_calls_of_turn (turn=?)"),
    ],
)
def test_what_is_charged_to_a_budget_is_found_without_reading_all_calls(tmp_path, scope, read):
    with Ledger(Settings(data_dir=tmp_path)).store()._engine.connect() as db:
        query = charged(scope, ANN, 1.0).compile(db, compile_kwargs={"literal_binds": True})
        [plan] = db.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
    assert read in plan[-1]


RESERVING = """
import asyncio, json, sys
from agent.budgets import BudgetSpent, Limit
from agent.ledger.ledger import Ledger
from agent.ledger.records import Most, Who
from agent.settings import Settings
from agent.usage import begun_call

async def main():
    ledger, made = Ledger(Settings(**json.loads(sys.argv[1]))), 0
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(40):
        try:
            who = Who(owner="ann", turn=f"{sys.argv[2]} {number}")
            await ledger.reserve(who, begun_call("planner", 1, "openai:x"), {"owner": Limit(cost=1.0)}, Most(0.05, 1))
            made += 1
        except BudgetSpent:
            pass
    print(made)

asyncio.run(main())
"""


def test_two_processes_do_not_slip_past_a_budget_together(database):
    settings = json.dumps(database, default=str)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RESERVING, settings, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    made = [int(process.communicate("go\n", timeout=200)[0]) for process in processes]
    assert sum(made) == 20


async def test_without_the_ledger_nothing_is_reserved_and_the_password_is_not_said():
    away = Ledger(Settings(database_url="postgresql://me:secret-word@127.0.0.1:9/none"))
    with pytest.raises(LedgerUnavailable) as raised:
        await away.reserve(ANN, call(), {"day": Limit(cost=1.0)}, Most(0.1, 1))
    assert "secret-word" not in str(raised.value)
