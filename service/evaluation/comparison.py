"""Comparisons: two configurations on the same cases, and whether what differs is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from service.evaluation.checks import made
from service.evaluation.statistics import LEVEL, Difference, holm, paired_means, paired_rates
from service.evaluation.summary import Result

Kind = Literal["share", "mean"]


@dataclass(frozen=True)
class Measure:
    """Something that configurations are compared by.

    Args:
        name: what it is called.
        kind: whether it is a share of cases or a mean over them.
        unit: what it is counted in; a share is counted in points of a hundred.
        of: a case's value, None where the case does not bear on it.
    """

    name: str
    kind: Kind
    unit: str
    of: Callable[[Result], float | None]


MEASURES = (
    Measure("correct", "share", "points", lambda result: result.verdict.correct),
    Measure("citation coverage", "mean", "", lambda result: result.verdict.coverage),
    Measure("plan quality", "mean", "", lambda result: result.verdict.plan_quality),
    Measure("model calls", "mean", "a case", lambda result: float(len(result.outcome.calls))),
    Measure("tool calls", "mean", "a case", lambda result: float(len(made(result.outcome)))),
    Measure("tokens", "mean", "a case", lambda result: float(result.outcome.tokens)),
    Measure("cost", "mean", "dollars a case", lambda result: result.outcome.cost),
    Measure("seconds", "mean", "a case", lambda result: sum(result.outcome.seconds) or None),
)


@dataclass(frozen=True)
class Comparison:
    """How two configurations differ in a measure.

    Args:
        measure: the measure.
        first: name of one configuration.
        second: name of the other.
        difference: how much more the first has, case by case.
        chance: the difference's chance, counted for all comparisons that are made together.
    """

    measure: Measure
    first: str
    second: str
    difference: Difference
    chance: float

    @property
    def real(self) -> bool:
        """Whether it is more than chance."""
        return self.chance < LEVEL

    @property
    def verdict(self) -> str:
        """What it comes to, in a sentence."""
        if not self.real:
            return f"no difference in {self.measure.name} that {self.difference.of} cases can show"
        more = "more" if self.difference.value > 0 else "fewer" if self.measure.unit == "a case" else "less"
        if self.measure.kind == "share":
            return f"{self.first} is {self.measure.name} {more} often than {self.second}"
        return f"{self.first} has {more} {self.measure.name} than {self.second}"


def comparisons(results: Mapping[str, Sequence[Result]]) -> list[Comparison]:
    """Compare each configuration with the first one, in every measure, on the cases that both have.

    Args:
        results: the results of each configuration, by its name.
    """
    (first, ours), *others = results.items()
    found = [
        (measure, second, difference)
        for second, theirs in others
        for measure in MEASURES
        if (difference := _difference(measure, ours, theirs))
    ]
    chances = holm([difference.chance for _, _, difference in found])
    return [
        Comparison(measure, first, second, difference, chance)
        for (measure, second, difference), chance in zip(found, chances, strict=True)
    ]


def _difference(measure: Measure, ours: Sequence[Result], theirs: Sequence[Result]) -> Difference | None:
    others = {result.case.id: measure.of(result) for result in theirs}
    pairs = [
        (value, other)
        for result in ours
        if (value := measure.of(result)) is not None and (other := others.get(result.case.id)) is not None
    ]
    first, second = [value for value, _ in pairs], [other for _, other in pairs]
    if measure.kind == "share":
        return paired_rates([bool(value) for value in first], [bool(value) for value in second])
    return paired_means(first, second)
