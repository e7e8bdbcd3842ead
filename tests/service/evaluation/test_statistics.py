"""Statistics, by values that are known."""

from __future__ import annotations

import pytest

from service.evaluation.statistics import holm, kappa, mcnemar, mean, paired_means, paired_rates, quantile, rate


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval(hits, of, low, high):
    found = rate(hits, of)
    assert (found.value, found.of) == (hits / of, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.parametrize(("first", "second", "chance"), [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 22 / 1024), (0, 6, 2 / 64)])
def test_mcnemars_exact_chance(first, second, chance):
    assert mcnemar(first, second) == mcnemar(second, first) == pytest.approx(chance)


def test_cohens_kappa():
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa([True, False], [True, False]) == 1
    assert kappa([True, False], [False, True]) == -1
    assert kappa([True, True], [True, True]) is None


def test_holms_correction():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_rates_on_the_same_cases_are_compared_case_by_case():
    first = [True] * 9 + [False] + [True] * 40
    second = [False] * 9 + [True] + [True] * 40
    found = paired_rates(first, second)
    assert (found.value, found.of, found.chance) == (pytest.approx(8 / 50), 50, pytest.approx(22 / 1024))
    assert 0 < found.low < found.value < found.high < 0.3


def test_means_that_differ_on_every_case_differ_for_good():
    found = paired_means([float(n) + 1 for n in range(20)], [float(n) for n in range(20)])
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.chance < 0.001


def test_means_that_differ_by_chance_do_not():
    found = paired_means([1.0, -1.0, 2.0, -2.0], [0.0] * 4)
    assert found.value == 0
    assert found.chance == 1


def test_a_permutation_test_of_few_cases_has_the_exact_chance():
    # Of the 16 ways to flip the signs of four equal differences, 2 are as extreme.
    assert paired_means([1.0] * 4, [0.0] * 4).chance == pytest.approx(2 / 16, abs=0.01)


def test_a_bootstrap_interval_is_that_of_the_normal_distribution_for_many_values():
    found = mean([0.0, 1.0] * 200)
    half = 1.96 * 0.5 / 400**0.5
    assert (found.low, found.high) == (pytest.approx(0.5 - half, abs=0.005), pytest.approx(0.5 + half, abs=0.005))


def test_the_same_values_give_the_same_interval():
    assert mean([1.0, 5.0, 2.0]) == mean([1.0, 5.0, 2.0])


def test_nothing_has_no_figures():
    assert (
        rate(0, 0)
        is mean([])
        is quantile([], 0.5)
        is paired_rates([], [])
        is paired_means([], [])
        is kappa([], [])
        is None
    )


def test_quantiles():
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert quantile([float(n) for n in range(101)], 0.95) == 95.0
