"""What traffic on record would have cost with other models and settings."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from agent.errors import SettingsError
from agent.prices import Price, Prices
from service.cli import app
from service.simulation.console import levers_of
from service.simulation.scenarios import Levers, as_it_was, simulated
from service.simulation.traffic import read

PRICES = Prices({"a:big": Price(input=10, cached=1, output=50), "a:small": Price(input=1, output=5)})


def call(prompt=1000, reply=100, cached=0, cost=0.01):
    return {"node": "planner", "model": "a:old", "input": prompt, "cached": cached, "output": reply, "cost": cost}


def thread(*turns, owner="ann"):
    messages = []
    for question, calls in turns:
        answer = {"role": "assistant", "text": "So.", "usage": {"calls": calls}}
        messages += [{"role": "user", "text": question}, answer]
    return {"owner": owner, "messages": messages}


@pytest.fixture
def traffic(tmp_path):
    def write(*threads):
        path = tmp_path / "threads.jsonl"
        lines = [json.dumps(each, ensure_ascii=False) for each in threads]
        path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
        return read(path)

    return write


def test_each_call_is_priced_by_itself_and_with_the_kept_tokens_on_record(traffic):
    threads = traffic(thread(("q", [call(cached=400), call()])))
    assert as_it_was(threads).cost == pytest.approx(0.02)
    big = simulated(threads, "a:big", Levers(), PRICES)
    assert (big.calls, big.input, big.cached, big.output) == (2, 2000, 400, 200)
    assert big.cost == pytest.approx((600 * 10 + 400 * 1 + 1000 * 10 + 200 * 50) / 1e6)


def test_whatever_ends_a_line_elsewhere_may_stand_in_a_question(traffic):
    [[turn]] = traffic(thread(("one\u2028two\x85three", [call()])))
    assert turn.question == "one\u2028two\x85three"


def test_a_price_that_is_not_known_is_not_made_up(traffic):
    threads = traffic(thread(("q", [call(cost=None), call()])))
    assert as_it_was(threads).cost is None
    assert simulated(threads, "a:unheard-of", Levers(), PRICES).cost is None


def test_the_batch_price_is_half_for_openai_and_unknown_elsewhere(traffic):
    threads = traffic(thread(("q", [call()])))
    usual = simulated(threads, "openai:gpt-6-luna", Levers(), Prices()).cost
    assert simulated(threads, "openai:gpt-6-luna", Levers(batch=True), Prices()).cost == pytest.approx(usual / 2)
    assert simulated(threads, "a:big", Levers(batch=True), PRICES).cost is None


def test_a_share_of_the_prompts_can_be_taken_to_be_kept(traffic):
    cost = simulated(traffic(thread(("q", [call()]))), "a:big", Levers(cached=0.5), PRICES)
    assert cost.cached == 500


def test_a_cascade_prices_every_call_at_the_small_model_and_a_share_again(traffic):
    threads = traffic(thread(("q", [call(), call(), call(), call()])))
    cost = simulated(threads, "a:big", Levers(cascade="a:small", escalated=0.25), PRICES)
    small, big = (1000 * 1 + 100 * 5) / 1e6, (1000 * 10 + 100 * 50) / 1e6
    assert (cost.calls, cost.cost) == (5, pytest.approx(4 * small + big))


def test_repeated_first_questions_cost_nothing_for_the_same_person_only(traffic):
    threads = traffic(
        thread(("q", [call()]), ("q", [call()])), thread(("q", [call()])), thread(("q", [call()]), owner="bob")
    )
    assert simulated(threads, "a:big", Levers(answer_cache=True), PRICES).calls == 3


def test_summaries_hold_growing_prompts_down_and_are_paid_for(traffic):
    threads = traffic(thread(*((f"q{n}", [call(1000 + 1000 * n)]) for n in range(20))))
    plain, short = (simulated(threads, "a:big", Levers(history_tokens=limit), PRICES) for limit in (0, 8000))
    assert plain.input == sum(1000 + 1000 * n for n in range(20))
    assert 20 < short.calls <= 24
    assert short.input < plain.input * 0.75
    assert short.output > plain.output


@pytest.mark.parametrize("line", ["{", "[]", '{"messages": [{"text": "x"}]}', '{"messages": 7}', "7"])
def test_a_line_that_is_no_thread_is_named(tmp_path, line):
    path = tmp_path / "threads.jsonl"
    path.write_text(json.dumps(thread()) + "\n" + line, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"threads\.jsonl, line 2, is no exported thread"):
        read(path)


def test_a_lever_that_there_is_not_is_an_error_that_names_those_there_are():
    assert levers_of(["batch=true", "history_tokens=8000"]) == Levers(batch=True, history_tokens=8000)
    with pytest.raises(SettingsError, match=r"--set magic: .*The levers are batch, cached, cascade"):
        levers_of(["magic=1"])
    with pytest.raises(SettingsError, match="--set cached: "):
        levers_of(["cached=2"])


def test_the_command_shows_a_table_or_json_and_what_it_assumes(tmp_path):
    path = tmp_path / "threads.jsonl"
    path.write_text(json.dumps(thread(("q", [call(cached=250)]))), encoding="utf-8")
    arguments = ["simulate", "--month", str(path), "--model", "openai:gpt-6-luna", "--model", "openai:gpt-nope"]
    shown = CliRunner().invoke(app, arguments).output
    assert "as it was" in shown
    assert "unknown" in shown
    assert "25% were kept by the provider" in shown
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert [cost["cost"] is None for cost in told["costs"]] == [False, False, True]
    assert told["assumptions"][0] == "1 threads with 1 answers, of which 1 say what their model calls used."
