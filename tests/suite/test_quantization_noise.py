"""The signal-to-noise ratio in decibels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from suite.quantization.snr import decibels, signal_to_noise

pytestmark = pytest.mark.heavy

VALUES = arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
)


@given(VALUES)
def test_equal_outputs_have_no_noise(values):
    assert decibels(values, values.copy()) == math.inf


@given(VALUES.filter(np.any), st.floats(1e-3, 10.0))
def test_noise_of_a_share_of_the_signal_has_the_decibels_of_that_share(values, share):
    wide = values.astype(np.float64)
    assert decibels(wide, wide * (1 + share)) == pytest.approx(-20 * math.log10(share), abs=1e-6)


@given(VALUES.filter(np.any), st.sampled_from([2.0**-40, 2.0**-3, 2.0**20, 2.0**60]))
def test_the_unit_does_not_matter(values, unit):
    noisy = values + np.linspace(0.1, 0.2, values.size, dtype=np.float32)
    plain = decibels(values, noisy)
    scaled = decibels(values * np.float32(unit), noisy * np.float32(unit))
    assert scaled == pytest.approx(plain, abs=1e-3)


@given(VALUES.filter(np.any))
def test_more_noise_is_fewer_decibels(values):
    wide = values.astype(np.float64)
    noise = np.linspace(0.1, 0.2, wide.size)
    assert decibels(wide, wide + noise) > decibels(wide, wide + 2 * noise)


def test_values_at_the_ends_of_float32_neither_overflow_nor_vanish():
    for size in (1e38, 1e-38):
        values = np.array([size, -size], np.float32)
        assert decibels(values, values * np.float32(0.9)) == pytest.approx(20.0, abs=0.01)


def test_noise_on_nothing_and_values_that_are_not_finite():
    nothing = np.zeros(3, np.float32)
    assert decibels(nothing, nothing + 1) == -math.inf
    assert math.isnan(decibels(nothing + 1, np.array([1, np.nan, 1], np.float32)))
    assert math.isnan(decibels(nothing + 1, np.array([1, np.inf, 1], np.float32)))


def test_every_output_has_its_own_ratio_and_integers_and_other_shapes_have_none():
    one = np.ones(4, np.float32)
    reference = [one, np.arange(3), one, np.zeros((0, 4), np.float32)]
    actual = [
        one * np.float32(1.1),
        np.arange(3),
        np.ones(5, np.float32),
        np.zeros((0, 4), np.float32),
    ]
    ratios = signal_to_noise(reference, actual)
    assert ratios == [pytest.approx(20.0, abs=0.01), None, None, None]


def test_another_number_of_outputs_is_refused():
    with pytest.raises(ValueError, match="expected 2 outputs to compare; got 1"):
        signal_to_noise([np.ones(1), np.ones(1)], [np.ones(1)])
