"""Threads that people liked become training examples."""

from __future__ import annotations

import hashlib
import json
import re
import stat

import pytest
from langchain_core.tools import tool

from agent.errors import SettingsError
from service.finetuning.export import NothingLiked, Split, export, held_out
from service.finetuning.masking import Masking
from service.finetuning.rules import problems_of
from service.finetuning.selection import Wanted
from tests.support.liked import people
from tests.support.model_server import Reply

ALL = Wanted()
SUM = Reply(calls=[("calculator", {"expression": "19.90 * 3"})])
REPLY = Reply(calls=[("calculator", {"expression": "4 * 5"}), ("reply", {"text": "It is ${1}."})])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@tool
def lookup(key: str) -> str:
    """Look something up."""
    return f"what {key} is"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def said(example):
    return [
        (m["role"], m.get("content") or [c["function"]["name"] for c in m["tool_calls"]]) for m in example["messages"]
    ]


async def exported(settings, out, wanted=ALL, masking=None):
    report = await export(settings, out, wanted, Split(0.0), masking)
    return report, lines(out / "train.jsonl")


async def test_a_liked_thread_is_an_example_with_prompt_tools_calls_and_results(settings, model_server, out):
    async with people(settings, model_server) as they:
        thread = await they.ask("What do three cost?", SUM, "59.70 EUR.")
        answer = await they.say(thread)
        await they.ask("Nobody liked this.", "No.")
    report, [example] = await exported(settings, out)
    assert (report.train, report.held_out, report.skipped) == (1, 0, {})
    assert said(example)[1:] == [
        ("user", "What do three cost?"),
        ("assistant", ["calculator"]),
        ("tool", "59.7"),
        ("assistant", "59.70 EUR."),
    ]
    sent = model_server.requests[0]
    assert example["messages"][0] == sent["messages"][0], "the prompt is the assistant's own"
    assert example["tools"] == sent["tools"]
    assert list(problems_of(example)) == []
    [origin] = lines(out / "provenance.jsonl")
    line = (out / "train.jsonl").read_text().splitlines()[0]
    assert (origin["file"], origin["line"]) == ("train.jsonl", 1)
    assert origin["sha256"] == hashlib.sha256(line.encode()).hexdigest()
    assert (origin["thread"], origin["persona"], origin["selfhelp"]) == (thread.id, "helpdesk", "0.1.0")
    assert [(each["message"], each["thumb"], each["corrected"]) for each in origin["answers"]] == [
        (answer, "up", False)
    ]
    assert stat.S_IMODE((out / "train.jsonl").stat().st_mode) == 0o600


async def test_calls_whose_ids_come_again_in_a_later_turn_are_told_apart(settings, model_server, out):
    async with people(settings, model_server) as they:
        thread = await they.ask("What do three cost?", SUM, "59.70 EUR.")
        await they.ask("And again?", SUM, "59.70 EUR.", thread=thread)
        await they.say(thread)
    assert len(set(re.findall(r'"id": ?"(call_0_\d+)"', json.dumps(model_server.requests)))) == 1
    _, [example] = await exported(settings, out)
    called = [call["id"] for message in example["messages"] for call in message.get("tool_calls", ())]
    answered = [message["tool_call_id"] for message in example["messages"] if message["role"] == "tool"]
    assert called == answered == ["call_1", "call_2"]


async def test_what_a_person_wrote_takes_the_place_of_the_answer_and_of_the_reply_call(settings, model_server, out):
    async with people(settings, model_server) as they:
        thread = await they.ask("Four times five?", REPLY)
        await they.say(thread, "down", "Twenty.")
    _, [example] = await exported(settings, out)
    assert said(example)[2:] == [("assistant", ["calculator"]), ("tool", "20"), ("assistant", "Twenty.")]
    assert all("weight" not in message for message in example["messages"])
    with pytest.raises(NothingLiked):
        await export(settings, out.with_name("liked"), Wanted(thumb="up"), Split(), None)


async def test_only_the_answers_that_were_liked_are_learnt(settings, model_server, out):
    async with people(settings, model_server) as they:
        thread = await they.ask("First?", "One.")
        await they.say(thread, "down")
        await they.ask("Second?", "Two.", thread=thread)
        await they.say(thread)
        await they.ask("Third, which nobody judged?", "Three.", thread=thread)
    _, [example] = await exported(settings, out)
    assert said(example)[1:] == [("user", "First?"), ("assistant", "One."), ("user", "Second?"), ("assistant", "Two.")]
    assert [m.get("weight") for m in example["messages"] if m["role"] == "assistant"] == [0, None]


async def test_plans_that_failed_are_not_learnt_and_malformed_ones_left_out(settings, model_server, out):
    malformed = Reply(calls=[("calculator", '{"expression": ')])
    failing = Reply(calls=[("calculator", {"expression": "1 / 0"})])
    async with people(settings, model_server) as they:
        thread = await they.ask("Divide.", malformed, failing, "It cannot be divided.")
        await they.say(thread)
    _, [example] = await exported(settings, out)
    assert [role for role, _ in said(example)] == ["system", "user", "assistant", "tool", "assistant"]
    assert [m.get("weight") for m in example["messages"] if m["role"] == "assistant"] == [0, None]
    assert list(problems_of(example)) == []


async def test_an_answer_given_without_a_model_is_not_learnt(settings, model_server, out):
    async with people(settings, model_server) as they:
        thread = await they.ask("Anyone there?", Reply(status=400))
        await they.say(thread)
    with pytest.raises(NothingLiked, match="nothing is learnt"):
        await exported(settings, out)


async def test_personal_data_is_masked_alike_in_question_arguments_and_answer(settings, model_server, out):
    mail = "ann.miller@example.com"
    call = Reply(calls=[("calculator", {"expression": f"'{mail}'"})])
    async with people(settings, model_server) as they:
        thread = await they.ask(f"I am Ann Miller, {mail}, +49 30 901820.", call, f"Thank you, Ann Miller ({mail}).")
        await they.say(thread)
    report, [example] = await exported(settings, out, masking=Masking(names=["Ann Miller"]))
    assert report.masked == {"NAME": 1, "EMAIL": 1, "PHONE": 1}
    texts = json.dumps(example["messages"][1:])
    assert "miller" not in texts.casefold()
    assert said(example)[1] == ("user", "I am [NAME_1], [EMAIL_1], [PHONE_1].")
    assert "[EMAIL_1]" in example["messages"][2]["tool_calls"][0]["function"]["arguments"]
    assert said(example)[-1] == ("assistant", "Thank you, [NAME_1] ([EMAIL_1]).")


async def test_of_threads_that_say_the_same_the_latest_liked_is_written(settings, model_server, out):
    async with people(settings, model_server) as they:
        first = await they.ask("What is it?", "A tent for two, green.")
        await they.say(first, at=1000.0)
        second = await they.ask("what is it", "A tent for two; green!")
        await they.say(second, at=2000.0)
        await they.say(await they.ask("And what else is there?", "A stove."), at=500.0)
    report, examples = await exported(settings, out)
    assert report.duplicates == {first.id: second.id}
    assert len(examples) == 2
    report, examples = await exported(settings, out.with_name("later"), Wanted(since=1500.0))
    assert (len(examples), report.duplicates) == (1, {})


async def test_a_persona_is_exported_by_itself_with_its_own_prompt(settings, model_server, out):
    async with people(settings, model_server) as they:
        await they.say(await they.ask("Help?", "Yes.", persona="helpdesk"))
        await they.say(await they.ask("Teach me.", "Gladly.", persona="tutor"))
    _, [example] = await exported(settings, out, Wanted(persona="tutor"))
    assert said(example)[-1] == ("assistant", "Gladly.")
    assert "tutor" in example["messages"][0]["content"]


async def test_a_thread_that_calls_a_tool_which_is_gone_is_named(settings, model_server, out):
    async with people(settings, model_server, [lookup]) as they:
        gone = await they.ask("Look.", Reply(calls=[("lookup", {"key": "a"})]), "Found.")
        await they.say(gone)
        await they.say(await they.ask("Hello?", "Hello."))
    report, examples = await exported(settings, out)
    assert len(examples) == 1
    assert "there is no tool 'lookup'" in report.skipped[gone.id]


async def test_an_export_is_never_written_over(settings, model_server, out):
    async with people(settings, model_server) as they:
        await they.say(await they.ask("Hello?", "Hello."))
    await exported(settings, out)
    with pytest.raises(SettingsError, match="name another folder"):
        await exported(settings, out)


def test_copies_of_a_thread_stay_on_one_side_whatever_the_order():
    questions = [f"Question {number}" for number in range(18)] + ["Forked?", "forked"]
    for seed in range(20):
        kept = {questions[place] for place in held_out(questions, Split(0.2, seed))}
        assert 3 <= len(kept) <= 5
        assert ("Forked?" in kept) == ("forked" in kept)
        again = list(reversed(questions))
        assert {again[place] for place in held_out(again, Split(0.2, seed))} == kept
    assert held_out(questions, Split(0.2, 1)) != held_out(questions, Split(0.2, 2))
    assert held_out(["one"], Split(0.5)) == set()
    assert held_out(questions, Split(0.0)) == set()
