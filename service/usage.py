"""The `usage` command: what model calls used and cost, how budgets stand, and the report."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.budgets import Limit, Scope, dollars
from agent.errors import SettingsError
from agent.ledger.ledger import Ledger
from agent.ledger.records import BY, Standing, Used, Wanted, Who, total
from agent.settings import Settings
from agent.untrusted import visible
from service.records.database import open_database
from service.records.keys import Keys
from service.usage_report import cost_of, page, share

NOTHING = "no model has been asked yet"


async def show_usage(settings: Settings, wanted: Wanted, console: Console, *, as_json: bool) -> None:
    """Show what model calls used, by group and together, and how the budgets of a day stand.

    Args:
        settings: the settings.
        wanted: which calls.
        console: where to show it.
        as_json: whether to write JSON.
    """
    ledger = Ledger(settings)
    groups = await ledger.used(wanted)
    standing = await _standing(ledger, settings, wanted.owner)
    if as_json:
        budgets = [{**asdict(each), "limit": each.limit.model_dump()} for each in standing]
        shown = {"items": [asdict(group) for group in groups], "total": asdict(total(groups)), "budgets": budgets}
        console.file.write(json.dumps(shown, ensure_ascii=False) + "\n")
        return
    if not groups:
        narrowed = wanted.owner or wanted.since or wanted.until
        console.print("no model was asked by them, or then" if narrowed else NOTHING)
    else:
        console.print(_table(wanted, await _named(groups, settings) if wanted.by == "key" else groups))
    for each in standing:
        console.print(Text(budget_line(each)))


async def write_usage_report(settings: Settings, wanted: Wanted, path: Path, console: Console) -> None:
    """Write the report of what model calls used: one HTML file with plots, which needs nothing from anywhere else.

    Args:
        settings: the settings.
        wanted: which calls.
        path: the file.
        console: where to say so.

    Raises:
        SettingsError: the file cannot be written.
    """
    ledger = Ledger(settings)
    groups = {by: await ledger.used(replace(wanted, by=by)) for by in BY}
    groups["key"] = await _named(groups["key"], settings)
    try:
        await asyncio.to_thread(path.write_text, page(groups, wanted), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None
    console.print(f"written to {path}", soft_wrap=True, markup=False)


async def _named(groups: list[Used], settings: Settings) -> list[Used]:
    """Return groups of keys with whose each key is, and what for."""
    if not any(group.key for group in groups):
        return groups
    async with open_database(settings) as database:
        names = await Keys(database).names()
    labels = {key: f"{key} ({name})" for key, name in names.items()}
    return [replace(group, key=labels.get(group.key or "", group.key)) for group in groups]


def budget_line(standing: Standing) -> str:
    """Write how a budget stands in one line."""
    limit = _amounts(standing.limit)
    unknown = standing.cost is None and standing.limit.cost is not None
    used = f"what is used of {limit} is not known" if unknown else f"{_amounts(standing.used)} of {limit} is used"
    free = f"it starts afresh on {standing.free[:10]} at 00:00 UTC" if standing.free else "it never starts afresh"
    return f"budget of {standing.scope}: {used}; {free}"


def _amounts(limit: Limit) -> str:
    cost = [dollars(limit.cost)] if limit.cost is not None else []
    tokens = [f"{limit.tokens:,} tokens"] if limit.tokens is not None else []
    return ", ".join((*cost, *tokens))


def _table(wanted: Wanted, groups: list[Used]) -> Table:
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column(wanted.by, overflow="fold")
    for name in ("calls", "input", "cached", "output", "reasoning", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in groups:
        table.add_row(Text(visible(group.key or "–")), *_cells(group))
    if len(groups) > 1:
        table.add_section()
        table.add_row("together", *_cells(total(groups)), style="bold")
    return table


def _cells(group: Used) -> list[str]:
    cached = share(group.cached, group.input)
    reasoning = share(group.reasoning, group.output)
    return [f"{group.calls:,}", f"{group.input:,}", cached, f"{group.output:,}", reasoning, cost_of(group)]


async def _standing(ledger: Ledger, settings: Settings, owner: str | None) -> list[Standing]:
    """Return how the budgets stand that are of a day: everybody's, and a person's where one is asked about."""
    limits = settings.budgets.limits()
    shown: dict[Scope, Limit] = {
        scope: limit for scope, limit in limits.items() if scope == "day" or (scope == "owner" and owner)
    }
    return await ledger.standing(Who(owner=owner or ""), shown) if shown else []
