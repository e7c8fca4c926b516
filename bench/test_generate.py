"""Text generated token by token: first token, prefill, decode, the cache, and the same tokens without it."""

from __future__ import annotations

import pytest

from bench.pytest_benchmark_bridge import CLOCK, facts_of, replay


@pytest.mark.benchmark(group="generate", timer=CLOCK, warmup=False)
def test_generate(cell, measure, benchmark):
    record = measure(cell, "generate")
    gaps = record.measurement("itl")
    assert gaps is not None
    assert record.result.agreement.is_right
    replay(benchmark, gaps.samples, facts_of(record))
