"""What model calls use and cost."""

from __future__ import annotations

from langchain_core.messages import AIMessage

from agent.models.providers import Model
from agent.state import ModelCall, Usage, no_usage


def model_call(message: AIMessage, node: str, model: Model) -> ModelCall:
    """Return what one model call used.

    Args:
        message: the reply, with the provider's counts.
        node: the node that asked.
        model: the model that replied.
    """
    counts = message.usage_metadata
    call = ModelCall(
        node=node,
        model=model.name,
        input=counts["input_tokens"] if counts else 0,
        cached=(counts.get("input_token_details") or {}).get("cache_read", 0) if counts else 0,
        output=counts["output_tokens"] if counts else 0,
        cost=None,
    )
    call["cost"] = _cost(call, model) if counts else None
    return call


def added(usage: Usage | None, calls: list[ModelCall], citations_removed: int = 0, links_removed: int = 0) -> Usage:
    """Return the usage with more calls in it. The cost of a sum is unknown as soon as one part's is."""
    usage = usage or no_usage()
    costs = [call["cost"] for call in (*usage["calls"], *calls)]
    return Usage(
        calls=[*usage["calls"], *calls],
        input=usage["input"] + sum(call["input"] for call in calls),
        cached=usage["cached"] + sum(call["cached"] for call in calls),
        output=usage["output"] + sum(call["output"] for call in calls),
        cost=sum(cost for cost in costs if cost is not None) if None not in costs else None,
        citations_removed=usage["citations_removed"] + citations_removed,
        links_removed=usage["links_removed"] + links_removed,
        reused=usage["reused"],
    )


def _cost(call: ModelCall, model: Model) -> float | None:
    """Price a call in US dollars: nothing on one's own machine, None where the price is unknown."""
    if model.provider in ("local", "ollama"):
        return 0.0
    if model.provider != "openai":
        return None
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    tokens = Tokens(input_tokens=call["input"], cache_read_tokens=call["cached"], output_tokens=call["output"])
    try:
        return float(calc_price(tokens, model_ref=model.name.partition(":")[2], provider_id="openai").total_price)
    except LookupError:
        return None
