"""The table of metrics agrees with itself and with its page in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from recorded import record_with

from bench.derived_metrics import derive, throughput_unit
from bench.docs_page import with_tables
from bench.metrics import METRICS
from bench.steps import STEPS
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Measurement, Record
from suite.results.measuring import LatencyResult

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_is_described_in_known_words(metric):
    assert metric.direction in ("lower", "higher", "none")
    assert metric.instrument in STEPS
    assert metric.meaning.endswith(".")
    assert not metric.derived_from or metric.derived_from in METRICS


def test_the_page_has_every_metric_with_its_row_and_no_other():
    table = PAGE.read_text().split("## The metrics")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+) \|$", table, re.M)
    assert [row[0] for row in rows] == list(METRICS)
    for name, unit, step, better, meaning in rows:
        metric = METRICS[name]
        exact = ", exact" if metric.is_deterministic else ""
        assert (unit, step) == (metric.unit, metric.instrument)
        assert better == metric.direction + exact
        assert meaning == metric.meaning


def test_the_tables_of_the_page_are_those_that_its_command_writes():
    page = PAGE.read_text()
    assert with_tables(page) == page


def test_a_page_without_the_tables_is_refused():
    with pytest.raises(ValueError, match="| metric |"):
        with_tables("# Metrics")


def record(*measurements, **facts):
    found = Record(
        run_id="r",
        cell=Cell(model="m", size="tiny"),
        step="latency",
        outcome=Outcome.PASSED,
        measurements=measurements,
    )
    return record_with(found, facts)


def latency(*samples):
    return Measurement(metric="latency", unit="s", samples=samples)


def test_throughput_is_samples_over_the_median_latency():
    found = derive(record(latency(*[0.1, 0.2, 0.4] * 5), num_samples=8), "throughput")
    assert found.value == pytest.approx(40)
    assert found.low == pytest.approx(20)
    assert found.high == pytest.approx(80)
    assert throughput_unit(LatencyResult(num_samples=8)) == "samples"


def test_throughput_counts_tokens_where_there_are_any():
    one = record(latency(0.5), num_samples=1, num_tokens=100)
    assert derive(one, "throughput").value == pytest.approx(200)
    assert throughput_unit(one.result) == "tokens"


def test_throughput_without_a_number_of_samples_is_absent():
    assert derive(record(latency(0.5)), "throughput") is None


def test_a_p90_of_few_rounds_is_absent():
    assert derive(record(latency(*[0.1] * 28)), "latency", 0.9) is None
    assert derive(record(latency(*[0.1] * 29)), "latency", 0.9).value == pytest.approx(0.1)


def test_a_leak_is_the_slope_of_the_live_bytes():
    levels = Measurement(
        metric="live_bytes", unit="B", samples=tuple(1e9 + 1e6 * i for i in range(20))
    )
    assert derive(record(levels), "leak").value == pytest.approx(1e6)


def test_what_was_not_measured_has_no_figure():
    assert derive(record(), "latency") is None
    with pytest.raises(KeyError):
        derive(record(), "beauty")
