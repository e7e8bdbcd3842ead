"""`selfhelp usage` and the doctor, over a ledger that is there."""

from __future__ import annotations

import asyncio
import io
import json
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

from rich.console import Console

from agent.budgets import Budgets, Limit
from agent.ledger.ledger import Ledger
from agent.ledger.records import Wanted, Who
from agent.models.endings import end_of
from agent.prices import Price, Prices, Tokens
from agent.settings import Settings
from agent.usage import begun_call
from service import doctor
from service.records.database import open_database
from service.records.keys import Keys, NewKey
from service.usage import show_usage, write_usage_report

COST = (Path(__file__).parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")


def filled(tmp_path, **more):
    settings = Settings(data_dir=tmp_path / "data", **more)
    known = begun_call("planner", 1, "openai:gpt-6-luna") | {"input": 100, "cached": 60, "output": 10, "cost": 0.5}
    unknown = begun_call("responder", 2, "compatible:<script>x") | {"input": 50, "output": 8, "reasoning": 4}
    asyncio.run(Ledger(settings).record(Who("ann", "tutor", "q", "t"), [known, unknown]))
    return settings


def shown(settings, wanted, *, as_json=False):
    written = io.StringIO()
    asyncio.run(show_usage(settings, wanted, Console(file=written, width=200), as_json=as_json))
    return written.getvalue()


def test_usage_is_shown_with_what_is_not_known_and_what_is_left(tmp_path):
    settings = filled(tmp_path, budgets=Budgets(day=Limit(tokens=1_000), owner=Limit(tokens=500)))
    table = shown(settings, Wanted("node"))
    assert re.search(r"planner +1 +100 +60% +10 +0% +\$0\.5\n", table)
    assert re.search(r"responder +1 +50 +0% +8 +50% +unknown\n", table)
    assert re.search(r"together .*\$0\.5 \+ 1 unknown\n", table)
    assert re.search(r"\n2 +1 +50 +0% +8 ", shown(settings, Wanted("round")))
    assert "budget of day: 168 tokens of 1,000 tokens is used; it starts afresh on 20" in table
    told = json.loads(shown(settings, Wanted("owner", owner="ann"), as_json=True))
    assert (told["total"]["cost"], told["total"]["known_cost"], told["total"]["reasoning"]) == (None, 0.5, 4)
    assert [(each["scope"], each["tokens"]) for each in told["budgets"]] == [("owner", 168), ("day", 168)]
    assert "no model was asked by them, or then" in shown(settings, Wanted(owner="bob"))


def test_usage_by_key_says_whose_key_it_is_and_what_for(tmp_path):
    async def with_keys():
        async with open_database(settings) as database:
            named, secret = await Keys(database).create(NewKey("ann", name="web shop"))
            bare, _ = await Keys(database).create(NewKey("bob"))
        for key in (named.id, bare.id, "gone"):
            await Ledger(settings).record(Who("ann", key=key), [begun_call("planner", 1, "local") | {"input": 7}])
        return named.id, bare.id, secret

    settings = filled(tmp_path)
    named, bare, secret = asyncio.run(with_keys())
    table = shown(settings, Wanted("key"))
    for group in (rf"{named} \(ann, web shop\)", rf"{bare} \(bob\)", "gone"):
        assert re.search(rf"{group} +1 +7 ", table)
    assert re.search(r"– +2 +150 ", table)
    assert {each["key"] for each in json.loads(shown(settings, Wanted("key"), as_json=True))["items"]} == {
        named,
        bare,
        "gone",
        None,
    }
    path = tmp_path / "report.html"
    asyncio.run(write_usage_report(settings, Wanted(), path, Console(file=io.StringIO())))
    assert f"{named} (ann, web shop)" in path.read_text()
    assert secret.split("_", 2)[2] not in table + path.read_text()


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.loads = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href")]


def test_the_report_has_plots_loads_nothing_and_runs_nothing(tmp_path):
    path = tmp_path / "report.html"
    settings = filled(tmp_path)
    asyncio.run(write_usage_report(settings, Wanted(), path, Console(file=io.StringIO())))
    page = Page()
    page.feed(path.read_text())
    assert page.tags.count("svg") == 2
    assert page.tags.count("rect") == 5
    assert page.tags.count("table") == 9
    assert page.loads == []
    assert "script" not in page.tags
    assert "compatible:&lt;script&gt;x" in path.read_text()


def test_the_doctor_knows_prices_and_ends_of_models(monkeypatch):
    known = Settings(model="openai:gpt-6-luna", fallbacks=["local"])
    unknown = Settings(model="compatible:x")
    strict = Settings(model="compatible:x", budgets=Budgets(day=Limit(cost=1.0)))
    assert [(each.ok, each.warning) for each in map(doctor._prices, (known, unknown, strict))] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert end_of("openai:gpt-4o-2024-08-06") == date(2027, 1, 14)
    monkeypatch.setattr(doctor, "today", lambda: date(2026, 12, 1))
    check = doctor._endings(Settings(model="openai:gpt-5", fallbacks=["openai:gpt-6-luna"]))
    assert (check.ok, check.warning, check.found) == (True, True, "openai:gpt-5 ends on 2026-12-11")
    assert not doctor._endings(Settings(model="openai:gpt-4")).ok


def test_each_call_is_priced_by_the_users_table_or_by_its_tier():
    prices = Prices({"compatible:x": Price(input=2.0, cached=0.5, output=10.0)})
    assert prices.cost("compatible:x", Tokens(1_000_000, 100_000, cached=400_000)) == 1.2 + 0.2 + 1.0
    assert prices.cost("compatible:y", Tokens(1, 1)) is None
    assert prices.cost("local", Tokens(1, 1)) == 0.0
    small, large = (prices.cost("openai:gpt-6-luna", Tokens(size, 0)) for size in (200_000, 400_000))
    assert large > 2 * small  # a long prompt is dearer a token, so two short ones are not priced as one
    assert prices.most("openai:gpt-6-luna", 1000, 0) > prices.cost("openai:gpt-6-luna", Tokens(1000, 0))


def test_the_settings_that_the_documentation_shows_are_read(tmp_path, monkeypatch):
    (tmp_path / "selfhelp.toml").write_text("\n".join(re.findall(r"```toml\n(.*?)```", COST, flags=re.DOTALL)))
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.budgets.thread == Limit(cost=1.0, tokens=500_000)
    assert settings.prices["openai:gpt-6.2-sol"].cached == 0.1
