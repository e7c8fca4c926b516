"""Values as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import METRICS
from suite import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (3.21e-9, "3.21 ns"),
        (12.345e-6, "12.3 µs"),
        (0.0123456, "12.3 ms"),
        (0.9997, "1.00 s"),
        (0.9994, "999 ms"),
        (61.4, "61.4 s"),
        (125.2, "2 min 5 s"),
        (119.7, "2 min 0 s"),
        (-0.002, "-2.00 ms"),
        (None, "-"),
        (float("nan"), "-"),
        (float("inf"), "-"),
    ],
)
def test_seconds_are_scaled(value, text):
    assert units.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (12, "12 B"),
        (999, "999 B"),
        (999.6, "1.00 kB"),
        (1234, "1.23 kB"),
        (1.42e9, "1.42 GB"),
        (3.2e13, "32.0 TB"),
        (None, "-"),
    ],
)
def test_bytes_are_scaled_by_thousands(value, text):
    assert units.num_bytes(value) == text


def test_counts_are_whole_and_grouped():
    assert units.count(101770.0) == "101,770"
    assert units.scaled_count(1_814_073_344, "MAC") == "1.81 GMAC"
    assert units.scaled_count(11_689_512, "") == "11.7 M"


def test_rates_say_what_they_count():
    assert units.rate(81.333) == "81.3 samples/s"
    assert units.rate(12345, "tokens") == "12,300 tokens/s"
    assert units.rate(0.01234) == "0.0123 samples/s"


def test_shares_keep_what_matters():
    assert units.percent(0.0004) == "0.04%"
    assert units.percent(0.0144) == "1.4%"
    assert units.percent(0.234) == "23%"
    assert units.percent(0.05, sign=True) == "+5.0%"
    assert units.percent(-0.05, sign=True) == "-5.0%"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_has_a_unit_with_words(metric):
    assert units.shown(12345.0, metric.unit, "tokens") not in ("", units.ABSENT)


def test_a_unit_without_words_is_an_error():
    with pytest.raises(ValueError, match="furlong"):
        units.shown(1.0, "furlong")


@given(st.floats(min_value=1e-9, max_value=100, allow_nan=False))
def test_a_time_reads_back_within_half_a_percent(value):
    number, _, unit = units.seconds(value).partition(" ")
    scale = {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.0051)
    assert 1 <= float(number) < 1000


@given(st.floats(min_value=1e-12, max_value=1e15, allow_nan=False))
def test_three_significant_figures_are_kept(value):
    text = units.significant(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.0051)
