"""Summaries: a configuration's figures over all its cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from service.evaluation.cases import Case
from service.evaluation.checks import Verdict, judged, made
from service.evaluation.outcomes import Outcome
from service.evaluation.statistics import Estimate, mean, quantile, rate


@dataclass(frozen=True)
class Result:
    """A case with what came of it and what the checks say.

    Args:
        case: the case.
        outcome: what came of it.
        verdict: what the checks say.
        judgement: whether the judging model finds the answer right; None where there is no judge.
        reason: the judge's reason.
    """

    case: Case
    outcome: Outcome
    verdict: Verdict
    judgement: bool | None = None
    reason: str = ""

    @classmethod
    def of(cls, case: Case, outcome: Outcome, judgement: bool | None = None, reason: str = "") -> Result:
        """Hold an outcome against its case."""
        return cls(case, outcome, judged(case, outcome), judgement, reason)


@dataclass(frozen=True)
class Summary:
    """A configuration's figures. A figure is None where no case bears on it.

    Args:
        name: the configuration.
        cases: how many it was asked.
        failed: how many of them ended without a model's answer.
        correct: share that says what is right and does nothing that it may not.
        passed: share that has no fault at all: citations, tools and budget too.
        refused: share of what cannot be answered where it says so.
        refused_needlessly: share of what can be answered where it says that it does not know, and is wrong.
        precision: share of the cited documents that the case names, a mean over cases.
        coverage: share of the named documents that are cited, a mean over cases.
        plan_quality: the fewest tool calls needed against those made, a mean over cases.
        model_calls: model calls of a case.
        tool_calls: tool calls of a case.
        tokens: tokens in and out of a case.
        cost: US dollars of all cases together, None where one case's is not known.
        unpriced: how many cases have a cost that is not known.
        p50: seconds that half of the turns take at most.
        p95: seconds that 95 percent of the turns take at most.
        flags: how many statements the assistant itself marked as unsupported.
        by_tag: share of correct ones of each tag.
    """

    name: str
    cases: int
    failed: int
    correct: Estimate | None
    passed: Estimate | None
    refused: Estimate | None
    refused_needlessly: Estimate | None
    precision: Estimate | None
    coverage: Estimate | None
    plan_quality: Estimate | None
    model_calls: Estimate | None
    tool_calls: Estimate | None
    tokens: Estimate | None
    cost: float | None
    unpriced: int
    p50: float | None
    p95: float | None
    flags: int
    by_tag: dict[str, Estimate]


def summary(name: str, results: Sequence[Result]) -> Summary:
    """Sum up the results of a configuration."""
    outcomes = [result.outcome for result in results]
    costs = [outcome.cost for outcome in outcomes]
    priced = [cost for cost in costs if cost is not None]
    seconds = [turn for outcome in outcomes for turn in outcome.seconds]
    answerable = [result for result in results if not result.case.refuses]
    tags = dict.fromkeys(tag for result in results for tag in result.case.tags)
    return Summary(
        name=name,
        cases=len(results),
        failed=sum(outcome.failed is not None for outcome in outcomes),
        correct=share(results, lambda result: result.verdict.correct),
        passed=share(results, lambda result: result.verdict.passed),
        refused=share((each for each in results if each.case.refuses), lambda result: result.verdict.refused),
        refused_needlessly=share(answerable, lambda result: result.verdict.refused and not result.verdict.correct),
        precision=_mean(result.verdict.precision for result in results),
        coverage=_mean(result.verdict.coverage for result in results),
        plan_quality=_mean(result.verdict.plan_quality for result in results),
        model_calls=_mean(len(outcome.calls) for outcome in outcomes),
        tool_calls=_mean(len(made(outcome)) for outcome in outcomes),
        tokens=_mean(outcome.tokens for outcome in outcomes),
        cost=sum(priced) if len(priced) == len(costs) else None,
        unpriced=len(costs) - len(priced),
        p50=quantile(seconds, 0.5),
        p95=quantile(seconds, 0.95),
        flags=sum(len(outcome.flags) for outcome in outcomes),
        by_tag={
            tag: found
            for tag in tags
            if (found := share((each for each in results if tag in each.case.tags), lambda each: each.verdict.correct))
        },
    )


def share(results: Iterable[Result], hit: Callable[[Result], bool]) -> Estimate | None:
    """Return the share of results that are hits."""
    hits = [hit(result) for result in results]
    return rate(sum(hits), len(hits))


def _mean(values: Iterable[float | None]) -> Estimate | None:
    return mean([value for value in values if value is not None])
