"""`selfhelp simulate`: what a month of traffic would have cost with other models and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.table import Table

from agent.errors import SettingsError
from agent.prices import Prices
from agent.settings import Settings
from service.simulation.scenarios import Cost, Levers, as_it_was, simulated
from service.simulation.traffic import Thread, read


def simulate(
    settings: Settings, month: Path, models: Sequence[str], wanted: Sequence[str], console: Console, *, as_json: bool
) -> None:
    """Show what traffic would have cost.

    Args:
        settings: the settings, for their prices.
        month: exported threads, one in a line.
        models: the models, as provider:model.
        wanted: settings, as lever=value.
        console: where to print.
        as_json: whether to print JSON.

    Raises:
        SettingsError: the file or a setting cannot be used.
    """
    levers, threads = levers_of(wanted), read(month)
    was, prices = as_it_was(threads), Prices(settings.prices)
    costs = [was, *(simulated(threads, model, levers, prices) for model in models)]
    notes = list(assumptions(threads, was, levers))
    if as_json:
        told = {"costs": [asdict(cost) for cost in costs], "assumptions": notes}
        console.file.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    console.print(table(costs))
    for note in notes:
        console.print(f"- {note}", soft_wrap=True)


def levers_of(wanted: Sequence[str]) -> Levers:
    """Read settings written as lever=value.

    Raises:
        SettingsError: there is no such lever, or it has no such value.
    """
    values = dict(each.partition("=")[::2] for each in wanted)
    try:
        return Levers.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        lever, known = ".".join(map(str, problem["loc"])), ", ".join(Levers.model_fields)
        raise SettingsError(f"--set {lever}: {problem['msg']}. The levers are {known}") from None


def assumptions(threads: Sequence[Thread], was: Cost, levers: Levers) -> Iterator[str]:
    """Yield in words what the figures rest on."""
    turns = [turn for thread in threads for turn in thread]
    counted = sum(bool(turn.calls) for turn in turns)
    yield f"{len(threads)} threads with {len(turns)} answers, of which {counted} say what their model calls used."
    yield "Other models are taken to need the same tokens in the same number of calls."
    if levers.cached is not None:
        yield f"{levers.cached:.0%} of every prompt is taken to be kept by the provider."
    elif was.cached:
        yield f"Of the prompts, {was.cached / was.input:.0%} were kept by the provider, call by call as on record."
    else:
        yield "No call on record had a kept prompt, so none is priced as such; --set cached=0.6 assumes otherwise."
    if levers.cascade:
        yield f"{levers.cascade} is asked first, and {levers.escalated:.0%} of its calls are made again."
    if levers.answer_cache:
        yield "A person's repeated first questions cost nothing, as if no document had changed in between."
    if levers.history_tokens:
        yield "Summaries are estimated from how the prompts of a thread grow; each is 1,000 tokens long."
    if levers.batch:
        yield "The batch price is half, for work that may take a day, such as evaluations: nobody waits for it."


def table(costs: Sequence[Cost]) -> Table:
    """Return the table."""
    lines = Table(box=box.SIMPLE_HEAD)
    lines.add_column("model", overflow="fold")
    for heading in ("calls", "prompt", "kept", "reply", "US$", "change"):
        lines.add_column(heading, justify="right", no_wrap=True)
    before = costs[0].cost
    for cost in costs:
        change = f"{cost.cost / before - 1:+.0%}" if before and cost.cost is not None and cost is not costs[0] else ""
        counts = f"{cost.calls:,.0f}", f"{cost.input:,}", f"{cost.cached:,}", f"{cost.output:,}"
        lines.add_row(cost.name, *counts, "unknown" if cost.cost is None else f"{cost.cost:,.4f}", change)
    return lines
