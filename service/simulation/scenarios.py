"""What traffic would have cost: every call priced alone, with the tokens that it took or a setting leaves of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict, Field

from agent.prices import Prices, Tokens
from service.simulation.traffic import Call, Thread, Turn

# What providers charge of the usual price where they may take a day.
BATCH = 0.5
# As in agent.history and agent.summary: what stays of a thread that is summarised, and the record's length.
KEPT, RECORD_TOKENS = 1 / 4, 1000


class Levers(BaseModel):
    """Settings to price traffic with."""

    model_config = ConfigDict(extra="forbid")

    batch: bool = Field(False, description="All calls at the batch price, which is half; of OpenAI's models only.")
    cached: float | None = Field(None, ge=0, le=1, description="Share of every prompt that the provider had kept.")
    cascade: str | None = Field(None, description="A small model that is asked first.")
    escalated: float = Field(0.25, ge=0, le=1, description="Share of a cascade's calls that are made again.")
    answer_cache: bool = Field(False, description="A person's first question that they asked before costs nothing.")
    history_tokens: int = Field(0, ge=0, description="Tokens of a thread past which its old turns are summarised.")


@dataclass(frozen=True)
class Cost:
    """What traffic costs.

    Args:
        name: the model, or that it is as it was.
        calls: model calls; a share of them where a cascade makes calls again.
        input: tokens of prompts.
        cached: those of them that the provider had kept.
        output: tokens of replies.
        cost: US dollars; None where a price is not known.
    """

    name: str
    calls: float
    input: int
    cached: int
    output: int
    cost: float | None


def as_it_was(threads: Sequence[Thread]) -> Cost:
    """Return what is on record."""
    calls = [call for thread in threads for turn in thread for call in turn.calls]
    return _summed("as it was", [(call, 1.0, call.cost) for call in calls])


def simulated(threads: Sequence[Thread], model: str, levers: Levers, prices: Prices) -> Cost:
    """Return what traffic would have cost with a model.

    Args:
        threads: the traffic.
        model: `provider:model`.
        levers: the settings.
        prices: the prices.
    """
    left = [_summarised(thread, levers.history_tokens) if levers.history_tokens else thread for thread in threads]
    turns = [turn for thread in left for turn in thread]
    calls = [
        _kept(call, levers.cached) for turn in (_new(turns) if levers.answer_cache else turns) for call in turn.calls
    ]
    asked = [(model, 1.0)] if levers.cascade is None else [(levers.cascade, 1.0), (model, levers.escalated)]
    return _summed(model, [(c, times, _cost(c, name, levers, prices)) for name, times in asked for c in calls])


def _cost(call: Call, model: str, levers: Levers, prices: Prices) -> float | None:
    cost = prices.cost(model, Tokens(call.input, call.output, call.cached, call.cache_write))
    if not (levers.batch and cost):
        return cost
    return cost * BATCH if model.startswith("openai:") else None


def _summed(name: str, priced: Sequence[tuple[Call, float, float | None]]) -> Cost:
    """Sum calls, each with how often it is made and what it costs then."""
    costs = [times * cost for _, times, cost in priced if cost is not None]
    return Cost(
        name,
        sum(times for _, times, _ in priced),
        round(sum(times * call.input for call, times, _ in priced)),
        round(sum(times * call.cached for call, times, _ in priced)),
        round(sum(times * call.output for call, times, _ in priced)),
        sum(costs) if len(costs) == len(priced) else None,
    )


def _kept(call: Call, share: float | None) -> Call:
    return call if share is None else replace(call, cached=round(call.input * share), cache_write=0)


def _new(turns: Sequence[Turn]) -> Iterator[Turn]:
    """Yield the turns whose question is not the first of a thread that its person has begun another thread with."""
    asked: set[tuple[str, str]] = set()
    for turn in turns:
        if turn.first and turn.owner is not None:
            if (turn.owner, turn.question) in asked:
                continue
            asked.add((turn.owner, turn.question))
        yield turn


def _summarised(thread: Thread, limit: int) -> Iterator[Turn]:
    """Yield the turns of a thread with the prompts that are left of its own where old turns are summarised.

    The first prompt is what every prompt begins with; what later ones have more is the thread.
    """
    first = next((call.input for turn in thread for call in turn.calls), 0)
    dropped = 0
    for turn in thread:
        calls = [replace(call, input=max(first, call.input - dropped)) for call in turn.calls]
        if calls and (grown := calls[0].input - first) > limit:
            # It is written from the prompt that was read last, which the provider has kept.
            summary = Call(calls[0].model, calls[0].input, RECORD_TOKENS, cached=calls[0].input)
            dropped += max(0, grown - round(limit * KEPT) - RECORD_TOKENS)
            calls = [replace(call, input=max(first, call.input - dropped)) for call in turn.calls]
            calls = [summary, replace(calls[0], cached=min(calls[0].cached, first)), *calls[1:]]
        yield replace(turn, calls=[replace(call, cached=min(call.cached, call.input)) for call in calls])
