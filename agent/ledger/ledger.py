"""The ledger. Calls are reserved before they are made where there are budgets, and recorded when they are done."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from agent.budgets import Limit, Scope
from agent.ledger.records import Most, Standing, Used, Wanted, Who
from agent.settings import Settings
from agent.state import ModelCall

if TYPE_CHECKING:
    from agent.ledger.store import Store


class Ledger:
    """The ledger of a deployment. Nothing is opened before it is first used.

    Args:
        settings: where it is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._store: Store | None = None

    def store(self) -> Store:
        """Return the ledger's database, opened. It blocks.

        Raises:
            LedgerUnavailable: it cannot be opened.
        """
        with self._opening:
            if self._store is None:
                from agent.ledger.store import Store

                self._store = Store(self._settings)
                weakref.finalize(self, self._store.close)
            return self._store

    async def reserve(self, who: Who, call: ModelCall, limits: Mapping[Scope, Limit], most: Most) -> None:
        """Reserve what a call may use at most, in all budgets or in none. Nobody else can reserve the same.

        Args:
            who: whom it is charged to.
            call: the call.
            limits: the budgets.
            most: what it may use at most.

        Raises:
            BudgetSpent: a budget does not allow it.
            LedgerUnavailable: it cannot be recorded, and so it must not be made.
        """
        await asyncio.to_thread(lambda: self.store().reserve(who, call, limits, most))

    async def record(self, who: Who, made: Sequence[ModelCall]) -> None:
        """Record calls that are done. Those that are on record stay as they are.

        Args:
            who: whom they are charged to.
            made: the calls.

        Raises:
            LedgerUnavailable: they cannot be recorded.
        """
        if made:
            await asyncio.to_thread(lambda: self.store().record(who, made))

    async def used(self, wanted: Wanted) -> list[Used]:
        """Return what calls used, by group.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        return await asyncio.to_thread(lambda: self.store().used(wanted))

    async def standing(self, who: Who, limits: Mapping[Scope, Limit]) -> list[Standing]:
        """Return how budgets stand.

        Args:
            who: whose budgets they are.
            limits: the budgets.

        Raises:
            LedgerUnavailable: it cannot be read.
        """
        return await asyncio.to_thread(lambda: self.store().standing(who, limits))
