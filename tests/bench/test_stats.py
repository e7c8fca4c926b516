"""Estimators and intervals against known values, scipy, and properties that hold for any
samples."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats import (
    Estimate,
    interval_ranks,
    kendall_z,
    mad,
    median,
    percentile,
    quantile,
    relative_interval,
    relative_slope,
    samples_needed,
    theil_sen,
    thinned,
)

FLOATS = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)
SAMPLES = st.lists(FLOATS, min_size=1, max_size=80)


@given(SAMPLES, st.floats(min_value=0, max_value=1))
@settings(max_examples=60, deadline=None)
def test_a_quantile_is_what_numpy_says(values, q):
    import numpy as np

    assert quantile(values, q) == pytest.approx(float(np.quantile(values, q)), rel=1e-9, abs=1e-6)


@given(SAMPLES, st.floats(min_value=0, max_value=1))
def test_a_quantile_lies_within_the_samples(values, q):
    assert min(values) <= quantile(values, q) <= max(values)


def test_no_samples_have_no_quantile():
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
    with pytest.raises(ValueError, match="outside"):
        quantile([1.0], 1.5)


def test_medians_and_deviations_of_known_samples():
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
    assert mad([1, 1, 2, 2, 4, 6, 9]) == 1


@given(SAMPLES)
@settings(max_examples=40, deadline=None)
def test_the_median_absolute_deviation_is_what_scipy_says(values):
    from scipy import stats

    expected = float(stats.median_abs_deviation(values))
    assert mad(values) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.lists(FLOATS, min_size=2, max_size=40))
@settings(max_examples=40, deadline=None)
def test_the_slope_is_what_scipy_says(values):
    from scipy import stats

    expected = float(stats.theilslopes(values).slope)
    assert theil_sen(values) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(FLOATS, st.integers(min_value=-1000, max_value=1000), st.integers(2, 40))
def test_the_slope_of_a_line_is_its_own(start, step, n):
    assert theil_sen([start + step * i for i in range(n)]) == pytest.approx(step, abs=1e-5)


def test_the_slope_does_not_heed_a_spike():
    values = [10.0 + 0.5 * i for i in range(15)]
    values[7] = 1e6
    assert theil_sen(values) == pytest.approx(0.5)
    assert relative_slope([2.0, 2.2, 2.4]) == pytest.approx(0.2 / 2.2)


def test_one_value_has_no_slope():
    assert theil_sen([3.0]) == 0.0
    assert relative_slope([0.0, 0.0]) == 0.0


@pytest.mark.parametrize(("q", "needed"), [(0.5, 6), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_a_percentile_needs_this_many_samples(q, needed):
    assert samples_needed(q) == needed
    values = [float(i) for i in range(needed)]
    assert percentile(values, q).high is not None
    fewer = percentile(values[:-1], q)
    assert fewer is None if q > 0.5 else fewer.low is None


@given(st.integers(2, 2000), st.sampled_from([0.1, 0.25, 0.5, 0.9, 0.95, 0.99]))
@settings(max_examples=80, deadline=None)
def test_the_ranks_hold_the_quantile_as_often_as_promised_and_no_window_is_shorter(n, q):
    from scipy.stats import binom

    found = interval_ranks(n, q)
    whole = binom.cdf(n - 1, n, q) - binom.cdf(0, n, q)
    if found is None:
        assert whole < 0.95 + 1e-9
        return
    low, high = found
    assert 1 <= low < high <= n
    assert binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q) >= 0.95 - 1e-9
    width = high - low - 1
    masses = binom.pmf(range(1, n), n, q)
    shorter = max((masses[i : i + width].sum() for i in range(n - width)), default=0.0)
    assert width == 0 or shorter < 0.95 + 1e-9


def test_known_ranks_of_the_median():
    # Conover, Practical Nonparametric Statistics, table of sign-test intervals: n = 6, 10, 20.
    assert interval_ranks(6, 0.5) == (1, 6)
    low, high = interval_ranks(20, 0.5)
    assert (low, high) in {(6, 15), (5, 15), (6, 16)}


@given(st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=6, max_size=200))
def test_the_interval_holds_the_median_of_the_samples(values):
    found = percentile(values, 0.5)
    assert found.low <= found.value <= found.high
    assert found.num_samples == len(values)


def test_the_interval_covers_the_truth_in_about_95_of_100_runs():
    generator = random.Random(1)
    covered = 0
    for _ in range(600):
        samples = [generator.lognormvariate(0, 0.5) for _ in range(25)]
        found = percentile(samples, 0.5)
        covered += found.low <= 1.0 <= found.high
    assert 0.93 <= covered / 600 <= 0.99


def test_few_samples_give_a_median_without_an_interval():
    assert percentile([2.0, 1.0], 0.5) == Estimate(value=1.5, num_samples=2)
    assert percentile([], 0.5) is None
    assert relative_interval([1.0, 1.0]) == math.inf
    assert relative_interval([1.0] * 6) == 0.0


def test_a_trend_is_told_from_noise():
    generator = random.Random(2)
    noise = [generator.random() for _ in range(60)]
    assert abs(kendall_z(noise)) < 3.29
    assert kendall_z([i + 5 * x for i, x in enumerate(noise)]) > 3.29
    assert kendall_z([1.0] * 30) == 0.0
    assert kendall_z([1.0, 2.0]) == 0.0


def test_kendalls_z_is_what_scipy_makes_of_the_same_ranks():
    from scipy.stats import kendalltau

    generator = random.Random(3)
    values = [i + 20 * generator.random() for i in range(30)]
    n = len(values)
    tau = kendalltau(range(n), values).statistic
    assert kendall_z(values) == pytest.approx(
        tau * n * (n - 1) / 2 / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    )


@given(st.lists(FLOATS, min_size=1, max_size=400))
def test_thinning_keeps_order_and_range(values):
    found = thinned(values)
    assert len(found) == min(len(values), 60)
    assert min(values) <= min(found) <= max(found) <= max(values)
    if len(values) <= 60:
        assert found == values
    assert thinned(sorted(values)) == sorted(thinned(sorted(values)))
