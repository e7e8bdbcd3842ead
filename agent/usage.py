"""What model calls use and cost."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from langchain_core.messages import AIMessage

from agent.budgets import BudgetSpent, Spent
from agent.errors import ModelUnavailable
from agent.prices import Tokens
from agent.state import ModelCall, Usage, no_usage


def begun_call(node: str, round_number: int, model: str) -> ModelCall:
    """Return a model call that is about to be made.

    Args:
        node: the node that asks.
        round_number: which reply of the turn it is to be, from 1.
        model: `provider:model`.
    """
    return ModelCall(
        id=uuid.uuid4().hex,
        node=node,
        round=round_number,
        model=model,
        at=time.time(),
        input=0,
        cached=0,
        cache_write=0,
        output=0,
        reasoning=0,
        cost=None,
    )


def counted(call: ModelCall, message: AIMessage) -> ModelCall:
    """Return a call with the tokens that its provider counted. Where it counted none, they stay 0.

    Args:
        call: the call.
        message: its reply.
    """
    counts = message.usage_metadata
    if not counts:
        return call
    prompt, reply = counts.get("input_token_details") or {}, counts.get("output_token_details") or {}
    read = min(prompt.get("cache_read") or 0, counts["input_tokens"])
    return {
        **call,
        "input": counts["input_tokens"],
        "cached": read,
        "cache_write": min(prompt.get("cache_creation") or 0, counts["input_tokens"] - read),
        "output": counts["output_tokens"],
        "reasoning": reply.get("reasoning") or 0,
    }


def is_counted(call: ModelCall) -> bool:
    """Whether the provider counted the tokens of a call."""
    return call["input"] + call["output"] > 0


def tokens_of(call: ModelCall) -> Tokens:
    """Return the tokens of a call, as they are priced."""
    return Tokens(call["input"], call["output"], call["cached"], call["cache_write"])


def added(
    usage: Usage | None,
    calls: Sequence[ModelCall],
    citations_removed: int = 0,
    links_removed: int = 0,
    spent: Spent | None = None,
) -> Usage:
    """Return the usage with more calls in it. The cost of a sum is unknown as soon as one part's is.

    Args:
        usage: the usage so far.
        calls: the calls to add.
        citations_removed: how many more citations were removed.
        links_removed: how many more links were removed.
        spent: the budget that allowed no further call, if one did not.
    """
    usage = usage or no_usage()
    costs = [call["cost"] for call in (*usage["calls"], *calls)]
    return Usage(
        calls=[*usage["calls"], *calls],
        input=usage["input"] + sum(call["input"] for call in calls),
        cached=usage["cached"] + sum(call["cached"] for call in calls),
        cache_write=usage["cache_write"] + sum(call["cache_write"] for call in calls),
        output=usage["output"] + sum(call["output"] for call in calls),
        reasoning=usage["reasoning"] + sum(call["reasoning"] for call in calls),
        cost=sum(cost for cost in costs if cost is not None) if None not in costs else None,
        citations_removed=usage["citations_removed"] + citations_removed,
        links_removed=usage["links_removed"] + links_removed,
        reused=usage["reused"],
        spent=spent or usage["spent"],
    )


def used_before(error: ModelUnavailable, usage: Usage, calls: Sequence[ModelCall]) -> Usage:
    """Return the usage of a turn that goes on without a model.

    Args:
        error: why no model replies.
        usage: the usage before.
        calls: the calls that were made all the same.
    """
    return added(usage, calls, spent=error.spent if isinstance(error, BudgetSpent) else None)
