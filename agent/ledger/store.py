"""The ledger's database. Everything in here blocks, and is durable when it returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from agent.budgets import Limit, Scope, free_again, no_price, not_known, spent_in_money, spent_in_tokens
from agent.database import LOCK, create, engine_of
from agent.ledger import sums
from agent.ledger.records import LedgerUnavailable, Most, Standing, Used, Wanted, Who
from agent.ledger.tables import LEDGER_FILE, calls
from agent.settings import Settings
from agent.state import ModelCall

# Seconds after which what is reserved for a call lapses: its process has died. No call takes that long.
LAPSE = 900.0

_SETTLED = ("input", "cached", "cache_write", "output", "reasoning", "cost", "open_until")
_IS_OPEN = calls.c.open_until.is_not(None)

Result = TypeVar("Result")


class Store:
    """The ledger's table, which is made where it is not there. `agent.ledger.Ledger` says what its methods do.

    Args:
        settings: where it is.

    Raises:
        LedgerUnavailable: it cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        self._engine = engine_of(settings, LEDGER_FILE)
        insert: Any = (postgresql if self._engine.dialect.name == "postgresql" else sqlite).insert(calls)
        settled = {name: insert.excluded[name] for name in _SETTLED}
        self._upsert = insert.on_conflict_do_update(index_elements=["id"], set_=settled, where=_IS_OPEN)
        with _said():
            create(self._engine, calls)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def reserve(self, who: Who, call: ModelCall, limits: Mapping[Scope, Limit], most: Most) -> None:
        """Reserve what a call may use at most."""
        for scope, limit in limits.items():
            if limit.cost is not None and most.cost is None:
                raise no_price(scope, limit.cost, call["model"])
        reserved = {"most_cost": most.cost, "most_tokens": most.tokens, "open_until": call["at"] + LAPSE}

        def reserved_if_allowed(db: Connection) -> None:
            if db.dialect.name == "postgresql":
                db.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            # In SQLite, it is this write that keeps others out.
            db.execute(calls.insert().values(**_row(who, call) | reserved))
            for scope, limit in limits.items():
                _check(db, scope, limit, who, call["at"], most)

        self._in(reserved_if_allowed)

    def record(self, who: Who, made: Sequence[ModelCall]) -> None:
        """Record calls that are done."""
        self._in(lambda db: db.execute(self._upsert, [_row(who, call) for call in made]))

    def release(self, call: ModelCall) -> None:
        """Give back what was reserved for a call that came to nothing."""
        self._in(lambda db: db.execute(delete(calls).where(calls.c.id == call["id"], _IS_OPEN)))

    def used(self, wanted: Wanted) -> list[Used]:
        """Return what calls used, by group."""
        return self._in(lambda db: [Used(*row) for row in db.execute(sums.used(wanted))])

    def standing(self, who: Who, limits: Mapping[Scope, Limit]) -> list[Standing]:
        """Return how budgets stand."""
        return self._in(lambda db: [_standing(db, scope, limit, who) for scope, limit in limits.items()])

    def _in(self, work: Callable[[Connection], Result]) -> Result:
        with _said(), self._engine.begin() as connection:
            return work(connection)


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        # The text of a driver's error may repeat the address, with the password.
        name = type(getattr(error, "orig", error)).__name__
        message = f"the ledger of model calls cannot be used: {name}. Check SELFHELP_DATABASE_URL, or SELFHELP_DATA_DIR"
        raise LedgerUnavailable(message) from None


def _row(who: Who, call: ModelCall) -> dict[str, Any]:
    return {**vars(who), **call, "day": sums.day_of(call["at"]), "open_until": None}


def _check(db: Connection, scope: Scope, limit: Limit, who: Who, now: float, own: Most) -> None:
    """Refuse a call that its budget does not allow. What it may use itself is among what is charged already."""
    at = datetime.fromtimestamp(now, UTC)
    cost, tokens, unknown = _charged(db, scope, who, now)
    if limit.cost is not None and unknown:
        raise not_known(scope, limit.cost, unknown, at)
    # Sums of fractions are not exact: a millionth of a cent is nothing.
    if limit.cost is not None and own.cost is not None and cost > limit.cost + 1e-8:
        raise spent_in_money(scope, limit.cost, cost - own.cost, own.cost, at)
    if limit.tokens is not None and tokens > limit.tokens:
        raise spent_in_tokens(scope, limit.tokens, tokens - own.tokens, own.tokens, at)


def _standing(db: Connection, scope: Scope, limit: Limit, who: Who) -> Standing:
    now = time.time()
    cost, tokens, unknown = _charged(db, scope, who, now)
    return Standing(
        scope, limit, None if unknown else cost, tokens, free_again(scope, datetime.fromtimestamp(now, UTC))
    )


def _charged(db: Connection, scope: Scope, who: Who, now: float) -> tuple[float, int, int]:
    cost, tokens, unknown = db.execute(sums.charged(scope, who, now)).one()
    return cost, tokens, unknown
