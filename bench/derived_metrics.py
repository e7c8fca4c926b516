"""Figures: what is derived from a record's raw samples: percentiles, throughput, leak slope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.metrics import METRICS
from bench.stats import Estimate, percentile, theil_sen
from suite.record import Measurement, Record


def derive(record: Record, name: str, q: float = 0.5) -> Estimate | None:
    """The metric's value on this record with its interval, in the metric's unit, or None when it
    was not measured.

    `q` picks another percentile of a metric with many samples (0.9, 0.99); None when there are
    too few for it. Raises KeyError for a metric that is no row of METRICS.
    """
    metric = METRICS[name]
    measurement = record.measurement(metric.derived_from or name)
    if measurement is None or not measurement.samples:
        return None
    match name:
        case "throughput" | "training_throughput":
            return throughput(measurement, record.facts)
        case "leak":
            slope = theil_sen(measurement.samples)
            return Estimate(value=slope, num_samples=len(measurement.samples))
    return percentile(measurement.samples, q)


def throughput(latency: Measurement, facts: Mapping[str, Any]) -> Estimate | None:
    """Samples or tokens per second (`counted` says which) from the median latency, or None when
    facts lack the number.
    """
    number = facts.get("num_tokens") or facts.get("num_samples")
    middle = percentile(latency.samples, 0.5)
    if not number or middle is None or not middle.value > 0:
        return None
    return Estimate(
        value=number / middle.value,
        low=None if middle.high is None else number / middle.high,
        high=None if not middle.low else number / middle.low,
        num_samples=middle.num_samples,
    )


def throughput_unit(facts: Mapping[str, Any]) -> str:
    """What throughput counts on a record with these facts: tokens or samples."""
    return "tokens" if facts.get("num_tokens") else "samples"
