"""A recorded conversation runs again without model, tools and network, and says what has changed."""

from __future__ import annotations

import asyncio

import pytest
import yaml
from langchain_core.tools import tool

from agent.context import Context
from agent.errors import ModelUnavailable
from agent.knowledge.library import open_base
from agent.settings import Knowledge, Settings
from service.cassettes import CassetteDiffers, check, record
from service.cassettes.cassette import Cassette, Turn
from service.cassettes.cassette import read as read_cassette
from service.cassettes.cassette import write as write_cassette
from tests.support.documents import write
from tests.support.model_server import Reply
from tools.effects import reads

KEY = "sk-very-secret-4711"
PROMPT = "---\nname: till\ndescription: The till.\n---\nYou are the till.\nBe short.\n"
QUESTIONS = ["Refund order 7.", "Thank you."]


class Shop:
    """Tools that keep what was done, and that tests change."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.says = "Look an order up."
        self.amount: type = float

    @property
    def tools(self):
        @reads
        @tool(description=self.says)
        def order(number: int) -> dict:
            self.done.append("order")
            return {"number": number, "total": 30.5, "note": KEY}

        def refund(number: int, amount) -> str:
            """Give money back."""
            self.done.append("refund")
            return f"refunded {amount}"

        refund.__annotations__ = {"number": int, "amount": self.amount, "return": str}
        return [order, tool(refund)]


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def settings(model_server, tmp_path, monkeypatch):
    monkeypatch.setenv("PAYMENT_TOKEN", KEY)
    write(tmp_path, {"personas/till.md": PROMPT})
    return Settings(
        model="compatible:scripted",
        base_url=model_server.url,
        data_dir=tmp_path / "data",
        knowledge=Knowledge(embedder="none"),
    )


async def last(events):
    async for event in events:
        outcome = event
    return outcome


def approved(actions):
    return [{"type": "approve"} for _ in actions]


@pytest.fixture
def cassette(settings, shop, model_server, tmp_path):
    plan = [("order", {"number": 7}), ("refund", {"number": 7, "amount": "${1.total}"})]
    model_server.will(Reply(calls=plan), "Refunded 30.50.", "You are welcome.")
    recorded = asyncio.run(record(settings, Context(persona="till"), QUESTIONS, approved, last, shop.tools))
    assert shop.done == ["order", "refund"]
    write_cassette(recorded, tmp_path / "c" / "refund.yaml", settings)
    return tmp_path / "c" / "refund.yaml"


@pytest.fixture
def replay(cassette, settings, shop):
    """Replay where no model is to be reached and no tool called. Gives the message, empty where all is the same."""
    nowhere = settings.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})

    def replayed(**changes):
        done = list(shop.done)
        try:
            check(cassette, settings=nowhere.model_copy(update=changes), tools=shop.tools)
        except CassetteDiffers as differs:
            return str(differs)
        finally:
            assert shop.done == done
        return ""

    return replayed


def changed(cassette, change):
    content = yaml.safe_load(cassette.read_text())
    change(content["turns"][0])
    cassette.write_text(yaml.safe_dump(content))


def test_it_runs_as_it_did_with_no_model_and_no_tool(replay):
    assert replay() == ""


def test_the_file_is_readable_and_holds_no_secret(cassette):
    text = cassette.read_text()
    assert KEY not in text
    first, second = yaml.safe_load(text)["turns"]
    assert [first["question"], second["question"]] == QUESTIONS
    assert "".join(first["requests"][1]["reply"]) == first["answer"] == "Refunded 30.50."
    assert [piece["name"] for piece in first["requests"][0]["reply"]] == ["order", "refund"]
    result = {"number": 7, "total": 30.5, "note": "***"}
    assert first["calls"][0] == {"tool": "order", "args": {"number": 7}, "result": result}
    assert first["decided"][0]["decisions"] == [{"type": "approve"}]
    assert "You are the till.\n" in text


@pytest.mark.parametrize("text", ["one\x85two", "one\n\x85two\u2028three", "\r\t \n", "~", "\ufeff\0"])
def test_whatever_was_said_comes_back_from_the_file(settings, tmp_path, text):
    said = Cassette(default="a:b", context={}, turns=[Turn(question=text, answer=f"{text}.")])
    write_cassette(said, tmp_path / "said.yaml", settings)
    assert read_cassette(tmp_path / "said.yaml") == said


@pytest.mark.parametrize("name", ["SHOP_KEY", "shop_apikey", "DB_PASS", "DB_PASSWD", "DB_PASSWORD", "GIT_PAT"])
def test_what_a_variable_named_like_a_secret_holds_is_not_in_the_file(settings, tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "hunter2hunter2")
    said = Cassette(default="a:b", context={}, turns=[Turn(question="It is hunter2hunter2.")])
    write_cassette(said, tmp_path / "said.yaml", settings)
    assert read_cassette(tmp_path / "said.yaml").turns[0].question == "It is ***."


def test_a_changed_prompt_is_shown_as_a_diff_and_once(replay, tmp_path):
    (tmp_path / "personas" / "till.md").write_text(PROMPT.replace("short", "brief"))
    said = replay()
    assert "turn 1: the prompt of model call 1\n--- recorded\n+++ now\n" in said
    assert "\n-Be short.\n+Be brief.\n" in said
    assert said.count("the prompt of model call") == 1


def test_a_changed_description_of_a_tool_is_shown_as_a_diff(replay, shop):
    shop.says = "Find an order."
    said = replay()
    assert "turn 1: the tools of model call 1" in said
    assert '-    "description": "Look an order up.",\n+    "description": "Find an order.",' in said


def test_a_changed_schema_of_a_tool_is_shown_and_so_are_the_arguments_that_it_gets_now(replay, shop):
    shop.amount = str
    said = replay()
    assert "turn 1: the tools of model call 1" in said
    assert "turn 1: the arguments of refund" in said
    assert '-  "amount": 30.5\n+  "amount": "30.5"' in said


def test_a_call_that_is_not_on_record_is_said_and_so_is_one_that_is_not_made(replay, cassette):
    changed(cassette, lambda turn: turn["calls"].pop(0))
    said = replay()
    assert "turn 1: a call of order is new" in said
    assert "turn 1: refund was not called" in said


def test_a_model_call_that_is_not_on_record_is_said(replay, cassette):
    changed(cassette, lambda turn: turn["requests"].pop())
    assert "turn 1: model call 2 is new" in replay()


def test_a_model_call_that_is_not_made_any_more_is_said(replay, cassette):
    changed(cassette, lambda turn: turn["requests"].append(turn["requests"][0]))
    assert "turn 1: a model call was not made" in replay()


def test_another_answer_is_shown(replay, cassette):
    changed(cassette, lambda turn: turn.update(answer="Refunded 31."))
    assert "turn 1: the answer\n--- recorded\n+++ now\n@@ -1 +1 @@\n-Refunded 31.\n+Refunded 30.50." in replay()


def test_what_a_person_is_asked_otherwise_is_shown(replay, cassette):
    changed(cassette, lambda turn: turn["decided"][0]["writes"][0]["args"].update(amount=3))
    assert "turn 1: what a person is asked about" in replay()


def test_another_model_is_said(replay):
    assert "another model is asked\n--- recorded\n+++ now\n" in replay(model="compatible:another")


def test_cited_passages_are_replayed_where_the_documents_are_not(settings, model_server, tmp_path):
    async def recorded():
        write(tmp_path, {"docs/returns.md": "# Returns\n\nLamps can be returned within 30 days.\n"})
        base = await open_base(settings)
        await base.index(tmp_path / "docs")
        await base.close()
        return await record(settings, Context(), ["Until when can I return a lamp?"], approved, last)

    model_server.will(Reply(calls=[("search", {"query": "returned"})]), "Within 30 days [1].")
    write_cassette(asyncio.run(recorded()), tmp_path / "returns.yaml", settings)
    assert "Lamps can be returned within 30 days." in (tmp_path / "returns.yaml").read_text()
    check(tmp_path / "returns.yaml", settings=Settings(model="compatible:scripted", data_dir=tmp_path / "nothing"))


async def test_without_a_model_nothing_is_recorded(settings, model_server):
    model_server.will(Reply(status=401))
    with pytest.raises(ModelUnavailable, match=r"nothing was recorded: .*the key was refused"):
        await record(settings, Context(), ["Hello."], approved, last)
