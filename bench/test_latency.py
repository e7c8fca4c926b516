"""Latency of one warm forward pass: p50 with its interval, p90, throughput."""

from __future__ import annotations

import pytest

from bench.pytest_benchmark_bridge import CLOCK, facts_of, replay


@pytest.mark.benchmark(group="latency", timer=CLOCK, warmup=False)
def test_latency(cell, measure, benchmark):
    record = measure(cell, "latency")
    latency = record.measurement("latency")
    assert latency is not None
    replay(benchmark, latency.samples, facts_of(record))
