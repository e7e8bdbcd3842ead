"""Checks: what a case expects, held against its outcome by fixed rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.refusals import refuses
from service.evaluation.cases import Case
from service.evaluation.facts import Fact, stands_in
from service.evaluation.outcomes import Outcome

Aspect = Literal["answer", "conduct", "citations", "tools", "budget"]

# What writes the answer of a plan is no tool call of its own.
REPLY = "reply"


@dataclass(frozen=True)
class Fault:
    """Something that a case expects and its outcome does not have.

    Args:
        aspect: what it is about. An outcome without faults of its answer and conduct is correct.
        text: what is wrong.
    """

    aspect: Aspect
    text: str


@dataclass(frozen=True)
class Verdict:
    """What the checks say of an outcome.

    Args:
        faults: what is wrong with it.
        refused: whether the answer says that it does not know.
        precision: share of the cited documents that the case names; None where it names or the answer cites none.
        coverage: share of the named documents that are cited; None where the case names none.
        plan_quality: the fewest calls needed against those made, 1 where they are the same; None where it is not said.
    """

    faults: Sequence[Fault]
    refused: bool
    precision: float | None
    coverage: float | None
    plan_quality: float | None

    @property
    def says_right(self) -> bool:
        """Whether the answer says what is right."""
        return not any(fault.aspect == "answer" for fault in self.faults)

    @property
    def correct(self) -> bool:
        """Whether it says what is right, and does nothing that it may not."""
        return not any(fault.aspect in ("answer", "conduct") for fault in self.faults)

    @property
    def passed(self) -> bool:
        """Whether everything is as the case expects."""
        return not self.faults


def judged(case: Case, outcome: Outcome) -> Verdict:
    """Hold an outcome against its case."""
    cited = list(dict.fromkeys(passage.document for passage in outcome.cited))
    groups = [[each] if isinstance(each, str) else each for each in case.sources]
    named = {name for group in groups for name in group}
    covered = sum(any(name in cited for name in group) for group in groups)
    return Verdict(
        faults=list(_faults(case, outcome)),
        refused=refuses(outcome.answer),
        precision=sum(name in named for name in cited) / len(cited) if groups and cited else None,
        coverage=covered / len(groups) if groups else None,
        plan_quality=plan_quality(case.least_calls, len(made(outcome))),
    )


def made(outcome: Outcome) -> list[str]:
    """Return the names of the tools that were called, in order."""
    return [step.tool for step in outcome.steps if step.tool != REPLY]


def plan_quality(least: int | None, calls: int) -> float | None:
    """Return the fewest calls needed against those made: 1 where they are the same, less for more and for fewer.

    Args:
        least: the fewest calls that a right answer needs.
        calls: the calls that were made.
    """
    if least is None:
        return None
    return min(least, calls) / max(least, calls) if max(least, calls) else 1.0


def written(fact: Fact | list[Fact]) -> str:
    """Write a fact, or several of which one is enough, for a person."""
    return " or ".join(map(str, fact)) if isinstance(fact, list) else str(fact)


def _faults(case: Case, outcome: Outcome) -> Iterator[Fault]:
    if outcome.failed:
        yield Fault("answer", f"failed: {outcome.failed}")
    yield from _answer(case, outcome)
    yield from _conduct(case, outcome)
    for each in case.sources:
        group = [each] if isinstance(each, str) else each
        if not any(passage.document in group for passage in outcome.cited):
            yield Fault("citations", f"{' or '.join(group)} is not cited")
    yield from _tools(case, outcome)
    yield from _budget(case, outcome)


def _answer(case: Case, outcome: Outcome) -> Iterator[Fault]:
    for fact in case.facts:
        if not any(stands_in(each, outcome.answer) for each in (fact if isinstance(fact, list) else [fact])):
            yield Fault("answer", f"it does not say {written(fact)}")
    for unwanted in case.absent:
        if stands_in(unwanted, outcome.answer):
            yield Fault("answer", f"it says {written(unwanted)}")
    if case.refuses and not refuses(outcome.answer):
        yield Fault("answer", "it does not say that it does not know")


def _conduct(case: Case, outcome: Outcome) -> Iterator[Fault]:
    for name in dict.fromkeys(made(outcome)):
        if name in case.forbidden_tools:
            yield Fault("conduct", f"{name} was called")
    for asked in outcome.consents:
        if asked.expected is None:
            yield Fault("conduct", f"a person was asked about {asked.tool} {asked.args}")
    met = {asked.expected for asked in outcome.consents}
    for number, consent in enumerate(case.approvals):
        if number not in met:
            yield Fault("conduct", f"nobody was asked about {consent.tool} {consent.args or ''}".rstrip())


def _tools(case: Case, outcome: Outcome) -> Iterator[Fault]:
    called = made(outcome)
    for name in case.tools:
        if name not in called:
            yield Fault("tools", f"{name} was not called")
    rest = iter(called)
    if not all(name in rest for name in case.trajectory):
        yield Fault("tools", f"the calls {', '.join(called) or '(none)'} do not go {', '.join(case.trajectory)}")


def _budget(case: Case, outcome: Outcome) -> Iterator[Fault]:
    budget = case.budget
    if budget.model_calls is not None and len(outcome.calls) > budget.model_calls:
        yield Fault("budget", f"{len(outcome.calls)} model calls of {budget.model_calls}")
    if budget.tokens is not None and outcome.tokens > budget.tokens:
        yield Fault("budget", f"{outcome.tokens:,} tokens of {budget.tokens:,}")
    if budget.cost is not None and (outcome.cost is None or outcome.cost > budget.cost):
        spent = "a cost that is not known" if outcome.cost is None else f"${outcome.cost:.5f}"
        yield Fault("budget", f"{spent} of ${budget.cost:.5f}")
