"""Values of metrics, computed from the raw samples of a record: percentiles, throughput, leak slope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bench.metrics import METRICS
from bench.stats import Estimate, percentile, theil_sen
from suite.record import Measurement, Record
from suite.results.measuring import RunResult, TrainingStepResult
from suite.results.step_result import StepResult


def derive(record: Record, name: str, q: float = 0.5) -> Estimate | None:
    """Return the metric's value on this record with its interval, in the metric's unit; None if it
    was not measured.

    `q` selects another percentile of a metric with many samples (0.9, 0.99); None with
    too few samples. Raises KeyError for a metric that is not in METRICS.
    """
    metric = METRICS[name]
    measurement = record.measurement(metric.derived_from or name)
    if measurement is None or not measurement.samples:
        return None
    if metric.derived_from:
        return FORMULAS[name](measurement, record.result)
    return percentile(measurement.samples, q)


def throughput(latency: Measurement, result: StepResult | None) -> Estimate | None:
    """Return samples or tokens per second (see `throughput_unit`) from the median latency; None if
    their number is unknown.
    """
    if not isinstance(result, RunResult | TrainingStepResult):
        return None
    return _per_second(latency, result.num_tokens or result.num_samples or 0)


def throughput_unit(result: StepResult | None) -> str:
    """Return what throughput counts on a step with that result: tokens or samples."""
    counts_tokens = isinstance(result, RunResult | TrainingStepResult) and result.num_tokens
    return "tokens" if counts_tokens else "samples"


def leak_slope(live_bytes: Measurement, result: StepResult | None) -> Estimate:
    """Bytes kept per forward pass: the Theil-Sen slope of the live bytes."""
    samples = live_bytes.samples
    return Estimate(value=theil_sen(samples), num_samples=len(samples))


def prefill_rate(prefill: Measurement, result: StepResult | None) -> Estimate | None:
    """Return the prompt's tokens per second, of all samples together, from the median prefill."""
    facts = prefill.facts
    return _per_second(prefill, (facts.prompt or 0) * (facts.batch or 1))


def decode_rate(itl: Measurement, result: StepResult | None) -> Estimate | None:
    """Return the tokens per second of one user from the median latency between tokens."""
    return _per_second(itl, 1)


def _per_second(seconds: Measurement, number: int) -> Estimate | None:
    """Return `number` over the median, with the interval's ends exchanged; None without a number or a median."""
    middle = percentile(seconds.samples, 0.5)
    if not number or middle is None or not middle.value > 0:
        return None
    return Estimate(
        value=number / middle.value,
        low=None if middle.high is None else number / middle.high,
        high=None if not middle.low else number / middle.low,
        num_samples=middle.num_samples,
    )


FORMULAS: Final[Mapping[str, Callable[[Measurement, StepResult | None], Estimate | None]]] = {
    "throughput": throughput,
    "training_throughput": throughput,
    "leak": leak_slope,
    "prefill_rate": prefill_rate,
    "decode_rate": decode_rate,
}
"""Derived metric -> its value from the source metric's measurement and the step's result."""
