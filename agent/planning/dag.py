"""Running calls as a DAG: each starts the moment its own inputs are there.

The idea of streaming a plan into a scheduler is LLMCompiler's (Kim et al., 2023, arXiv:2312.04511).
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from agent.planning.plan import Call
from agent.state import Outcome

Perform = Callable[[Call, Mapping[int, Any]], Awaitable[Outcome]]
Launch = Callable[[Callable[[], Awaitable[Outcome]]], Future[Outcome]]


class Dag:
    """Calls that are under way or done.

    Args:
        perform: runs one call, given the results of the calls it depends on by number. It gives an outcome for every
            failure of the call, so that one call's failure never reaches its siblings.
        launch: starts a piece of work at once and returns its future. It is called in the order of the calls, whatever
            finishes first: LangGraph finds a persisted result again by that order.
    """

    def __init__(self, perform: Perform, launch: Launch) -> None:
        self._perform = perform
        self._launch = launch
        self.outcomes: dict[int, Future[Outcome]] = {}

    def add(self, call: Call) -> None:
        """Start a call, which first waits for the calls it depends on. These must have been added before."""
        self.outcomes[call.number] = self._launch(lambda: self._run(call))

    def __contains__(self, number: object) -> bool:
        return number in self.outcomes

    async def finish(self) -> dict[int, Outcome]:
        """Return all outcomes by call number, once everything is done.

        A step that cannot end now, because it asks a person, holds none of its siblings up.
        """
        await asyncio.gather(*self.outcomes.values(), return_exceptions=True)
        return {number: await outcome for number, outcome in self.outcomes.items()}

    def cancel(self) -> None:
        """Stop what is under way."""
        for outcome in self.outcomes.values():
            outcome.cancel()

    async def _run(self, call: Call) -> Outcome:
        inputs = {number: await self.outcomes[number] for number in sorted(call.depends)}
        for number, outcome in inputs.items():
            if outcome["status"] != "finished":
                return skipped(call, f"skipped: step {number} {outcome['status']}")
        return await self._perform(call, {number: outcome["value"] for number, outcome in inputs.items()})


def skipped(call: Call, reason: str) -> Outcome:
    """Return the outcome of a call that is not run."""
    now = time.time()
    return Outcome(
        call_id=call.id,
        status="skipped",
        value=None,
        passages=False,
        resolved=None,
        error=reason,
        started=now,
        ended=now,
    )


def stages(calls: Sequence[Call], waits: Callable[[Call], bool]) -> Iterator[list[Call]]:
    """Yield calls in stages: those of the first need nobody's consent, and neither does anything they depend on.

    In a later one stand the calls that wait for consent and depend on none that does in it or behind it, and what can
    run once they have. Which stage a call is in follows from the plan alone.

    Args:
        calls: the calls of a plan, in order.
        waits: whether a call waits for consent.
    """
    stage: dict[int, int] = {}
    for call in calls:
        before = max((stage[number] for number in call.depends if number in stage), default=0)
        stage[call.number] = before + waits(call)
    for place in range(max(stage.values(), default=-1) + 1):
        yield [call for call in calls if stage[call.number] == place]
