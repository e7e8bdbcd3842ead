"""What model calls cost: a user's own prices, else what genai-prices knows, offline. Each call is priced alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

FREE = ("local", "ollama")
_MILLION = 1_000_000


class Price(BaseModel):
    """The price of a model, in US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid")

    input: float = Field(ge=0, description="Tokens of prompts.")
    cached: float | None = Field(
        None, ge=0, description="Those of them that the provider had kept; like the others when left out."
    )
    cache_write: float | None = Field(
        None, ge=0, description="Those of them that the provider keeps; like the others when left out."
    )
    output: float = Field(ge=0, description="Tokens of replies, reasoning included.")


class Tokens(NamedTuple):
    """The tokens of one call.

    Args:
        input: tokens of the prompt.
        output: tokens of the reply, reasoning included.
        cached: those of the prompt that the provider had kept.
        cache_write: those of the prompt that the provider keeps from now on.
    """

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0


@dataclass(frozen=True)
class Prices:
    """Prices of models.

    Args:
        own: prices by `provider:model`, which go before those that are known.
    """

    own: Mapping[str, Price] = field(default_factory=dict)

    def cost(self, model: str, tokens: Tokens) -> float | None:
        """Price one call in US dollars: nothing on one's own machine, None where the price is not known.

        The first call reads the known prices, which takes some tenths of a second.

        Args:
            model: `provider:model`.
            tokens: what it used.
        """
        if price := self.own.get(model):
            return _by_table(price, tokens)
        provider, _, name = model.partition(":")
        if provider in FREE:
            return 0.0
        return _known(name, tokens) if provider == "openai" else None

    def most(self, model: str, prompt: int, reply: int) -> float | None:
        """Return what a call can cost at most: with none of its prompt known to the provider, or all of it kept there.

        Args:
            model: `provider:model`.
            prompt: the most tokens of its prompt.
            reply: the most tokens of its reply.
        """
        plain = self.cost(model, Tokens(prompt, reply))
        kept = self.cost(model, Tokens(prompt, reply, cache_write=prompt))
        return None if plain is None or kept is None else max(plain, kept)


def _by_table(price: Price, tokens: Tokens) -> float:
    cached = price.input if price.cached is None else price.cached
    written = price.input if price.cache_write is None else price.cache_write
    plain = tokens.input - tokens.cached - tokens.cache_write
    parts = plain * price.input + tokens.cached * cached + tokens.cache_write * written + tokens.output * price.output
    return parts / _MILLION


def _known(name: str, tokens: Tokens) -> float | None:
    from genai_prices import Usage, calc_price

    usage = Usage(
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cached,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
    )
    try:
        return float(calc_price(usage, model_ref=name, provider_id="openai").total_price)
    except LookupError:
        return None
