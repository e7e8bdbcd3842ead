"""A run's account: its model calls are held to budgets before they are made, and recorded when they are done."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langgraph.config import get_config

from agent.budgets import Limit, Scope, stricter
from agent.context import Context
from agent.ledger.ledger import Ledger
from agent.ledger.records import LOCAL, LedgerUnavailable, Most, Who
from agent.models.failures import was_not_begun
from agent.prices import Prices, Tokens
from agent.state import ModelCall, turn_id
from agent.usage import counted, is_counted, tokens_of

# What marks the beginning and the end of a message for a model, and its role.
MESSAGE_TOKENS = 16
# More than any model counts for an image that it is given the address of.
ADDRESSED_TOKENS = 5000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """What the model calls of a run are charged to.

    Args:
        ledger: where they are recorded.
        prices: what they cost.
        who: whom they are charged to.
        limits: the budgets that they must keep to.
    """

    ledger: Ledger
    prices: Prices
    who: Who
    limits: Mapping[Scope, Limit]

    @classmethod
    def of(cls, context: Context, ledger: Ledger, prices: Prices) -> Account:
        """Return the account of a run.

        Args:
            context: the run's context.
            ledger: the ledger.
            prices: the prices.
        """
        key = context.key_budget
        who = Who(
            owner=context.owner or LOCAL,
            persona=context.persona,
            key=key.id if key else None,
        )
        return cls(ledger, prices, who, limits_of(context))

    def of_turn(self, messages: Sequence[AnyMessage]) -> Account:
        """Return the account for the turn under way in a conversation. It is called within a node."""
        thread = get_config()["configurable"].get("thread_id")
        return replace(self, who=replace(self.who, turn=turn_id(messages), thread=thread))

    async def begin(
        self, call: ModelCall, prompt: Sequence[BaseMessage], options: Mapping[str, Any], reply: int
    ) -> None:
        """Reserve what a call may use at most, where there are budgets.

        Args:
            call: the call.
            prompt: the messages that are sent.
            options: what is sent beside them: tools, schemas.
            reply: the most tokens of its reply.

        Raises:
            BudgetSpent: a budget does not allow it.
            LedgerUnavailable: there are budgets, and the ledger cannot be read or written.
        """
        if not self.limits:
            _send(self._make_ready, call["model"])
            return
        size = most_tokens(prompt, options)
        cost = await asyncio.to_thread(self.prices.most, call["model"], size, reply)
        await self.ledger.reserve(self.who, call, self.limits, Most(cost, size + reply))

    async def finish(self, call: ModelCall, reply: AIMessage) -> ModelCall:
        """Return a call with what it used and cost. Its record is on its way when this returns.

        Args:
            call: the call.
            reply: its reply.
        """
        priced = await asyncio.to_thread(self._priced, counted(call, reply))
        _send(self._record, priced)
        return priced

    def drop(self, call: ModelCall, reply: AIMessage | None, error: BaseException) -> None:
        """Record a call that broke off, or give back what is reserved for one that its provider has not begun.

        One that its provider did not count stays charged with the most that it may have used: nobody knows what it
        used. It is recorded so where there are budgets.

        Args:
            call: the call.
            reply: what came of its reply; None where nothing did.
            error: what broke it off.
        """
        done = counted(call, reply) if reply else call
        if is_counted(done):
            _send(lambda: self._record(self._priced(done)))
        elif self.limits and reply is None and was_not_begun(error):
            _send(self._release, call)
        elif self.limits:
            _send(self._record, call)

    async def keep(self, calls: Sequence[ModelCall]) -> None:
        """Wait until the calls of a turn are on record. It goes on where they cannot be, and that is logged.

        Args:
            calls: the calls, also those of a process that died.
        """
        try:
            await self.ledger.record(self.who, calls)
        except LedgerUnavailable as error:
            log.error("the cost of a turn was not recorded: %s", error)  # noqa: TRY400 - its message says it all

    def _priced(self, call: ModelCall) -> ModelCall:
        return {**call, "cost": self.prices.cost(call["model"], tokens_of(call)) if is_counted(call) else None}

    def _make_ready(self, model: str) -> None:
        """Open the ledger and read the prices while the model is still at it."""
        with suppress(LedgerUnavailable):  # the turn's end says so
            self.ledger.store()
        self.prices.cost(model, Tokens(0, 0))

    def _record(self, call: ModelCall) -> None:
        with suppress(LedgerUnavailable):  # the turn's end tries again, and says so
            self.ledger.store().record(self.who, [call])

    def _release(self, call: ModelCall) -> None:
        with suppress(LedgerUnavailable):  # it lapses
            self.ledger.store().release(call)


def limits_of(context: Context) -> dict[Scope, Limit]:
    """Return the budgets that a run must keep to.

    Args:
        context: its context, with every layer applied.
    """
    limits = context.budgets.limits()
    limits.pop("key", None)
    if context.key_budget and (limit := stricter(context.budgets.key, context.key_budget)).is_set:
        limits["key"] = limit
    return limits


def most_tokens(prompt: Sequence[BaseMessage], options: Mapping[str, Any]) -> int:
    """Return the most tokens that a prompt can be. No tokenizer makes more of a text than it has bytes.

    Args:
        prompt: the messages.
        options: what is sent beside them: tools, schemas.
    """
    sent = [[message.content, getattr(message, "tool_calls", []), message.additional_kwargs] for message in prompt]
    written = json.dumps([sent, dict(options)], ensure_ascii=False, default=str)
    addressed = sum(_is_addressed(block) for message in prompt for block in message.content if isinstance(block, dict))
    return len(written.encode(errors="replace")) + MESSAGE_TOKENS * len(prompt) + ADDRESSED_TOKENS * addressed


def _is_addressed(block: dict[Any, Any]) -> bool:
    """Whether a piece of a message stands elsewhere, so that its size is not that of its address."""
    return block.get("type") not in ("text", "output_text", "reasoning", "function_call", "refusal")


def _send(work: Callable[..., None], *args: Any) -> None:
    """Have work done in a thread. The end of the event loop waits for it, and nobody else does."""
    asyncio.get_running_loop().run_in_executor(None, work, *args)
