"""Statistics: intervals, and whether a difference is more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

Z = 1.959963984540054  # of 95 percent
LEVEL = 0.05
RESAMPLES, BATCH = 10_000, 250
SEED = 20_261_126


@dataclass(frozen=True)
class Estimate:
    """A value with its interval of 95 percent confidence, and how many cases it rests on."""

    value: float
    low: float
    high: float
    of: int


@dataclass(frozen=True)
class Difference:
    """How much one configuration has more than another, case by case, with an interval and the chance of it.

    Args:
        value: the mean difference.
        low: lower end of its interval of 95 percent confidence.
        high: upper end.
        chance: how likely a difference of this size or more would be if there were none, from 0 to 1.
        of: how many cases both have.
    """

    value: float
    low: float
    high: float
    chance: float
    of: int


def rate(hits: int, of: int) -> Estimate | None:
    """Return a share with its interval; None of nothing.

    Wilson's score interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). It holds for small numbers and for shares near 0 and 1.

    Args:
        hits: how many.
        of: of how many.
    """
    if not of:
        return None
    share, z2 = hits / of, Z * Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half), of)


def mean(values: Sequence[float]) -> Estimate | None:
    """Return a mean with its interval by bootstrap; None of nothing.

    The percentile bootstrap: B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7
    (1979).
    """
    if not values:
        return None
    low, high = np.percentile(_resampled(np.asarray(values, dtype=float)), [2.5, 97.5])
    return Estimate(float(np.mean(values)), float(low), float(high), len(values))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value that a share of the values does not exceed; None of nothing."""
    return float(np.quantile(values, share)) if values else None


def paired_rates(first: Sequence[bool], second: Sequence[bool]) -> Difference | None:
    """Compare two rates on the same cases; None where there are none.

    The chance is McNemar's, in its exact form: Q. McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", Psychometrika 12 (1947). The interval is a paired bootstrap's.

    Args:
        first: whether each case is a hit, of one configuration.
        second: the same of the other.
    """
    found = paired_means([float(hit) for hit in first], [float(hit) for hit in second])
    if found is None:
        return None
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    return Difference(found.value, found.low, found.high, mcnemar(only_first, only_second), found.of)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the chance of so uneven a split, or a more uneven one, of the cases on which two configurations differ.

    Args:
        only_first: cases that only the first has right.
        only_second: cases that only the second has right.
    """
    differing, fewer = only_first + only_second, min(only_first, only_second)
    tail: float = sum(math.comb(differing, k) for k in range(fewer + 1)) / 2**differing
    return min(1.0, 2 * tail)


def paired_means(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """Compare two means on the same cases, first less second; None where there are no cases.

    The interval is a paired bootstrap's; the chance a sign-flipping permutation test's: R. A. Fisher, "The Design of
    Experiments" (1935), chapter 3.

    Args:
        first: a value for each case, of one configuration.
        second: the same of the other.
    """
    if not first:
        return None
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    low, high = np.percentile(_resampled(differences), [2.5, 97.5])
    random = np.random.default_rng(SEED)
    flipped = _in_batches(
        lambda: (random.choice([-1.0, 1.0], size=(BATCH, len(differences))) * differences).mean(axis=1)
    )
    extreme = int(np.sum(np.abs(flipped) >= abs(differences.mean()) - 1e-12))
    return Difference(
        float(differences.mean()), float(low), float(high), (extreme + 1) / (RESAMPLES + 1), len(differences)
    )


def kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """Return how far two judges agree beyond chance: 1 is always, 0 no more than by chance; None of nothing.

    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
    Where both always say the same one thing there is nothing to agree on beyond chance, and it is None too.
    """
    if not first:
        return None
    total = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    yes_first, yes_second = sum(first) / total, sum(second) / total
    by_chance = yes_first * yes_second + (1 - yes_first) * (1 - yes_second)
    return None if by_chance == 1 else (observed - by_chance) / (1 - by_chance)


def holm(chances: Sequence[float]) -> list[float]:
    """Return chances as they count where several differences are looked at together, in the given order.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    counted = [0.0] * len(chances)
    highest = 0.0
    for place, position in enumerate(order):
        highest = max(highest, min(1.0, chances[position] * (len(chances) - place)))
        counted[position] = highest
    return counted


def _resampled(values: Array) -> Array:
    """Return the means of samples drawn from values, with replacement."""
    random = np.random.default_rng(SEED)
    return _in_batches(lambda: values[random.integers(0, len(values), size=(BATCH, len(values)))].mean(axis=1))


def _in_batches(draw: Callable[[], Array]) -> Array:
    """Return what all draws give. Drawn at once, those of a large set would fill the memory."""
    return np.concatenate([draw() for _ in range(RESAMPLES // BATCH)])
