"""Cost of one training step: seconds, samples per second, peak memory."""

from __future__ import annotations

import pytest

from bench.pytest_benchmark_bridge import CLOCK, facts_of, replay


@pytest.mark.benchmark(group="training", timer=CLOCK, warmup=False)
def test_training(cell, measure, benchmark):
    record = measure(cell, "training")
    steps = record.measurement("training_step")
    assert steps is not None
    replay(benchmark, steps.samples, facts_of(record))
