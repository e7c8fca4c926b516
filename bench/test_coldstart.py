"""Cold start: import, build or session, first forward pass; never mixed with warm latency."""

from __future__ import annotations

import pytest

from bench.instruments.phases import COLD_PHASES
from bench.pytest_benchmark_bridge import CLOCK, replay


@pytest.mark.benchmark(group="coldstart", timer=CLOCK, warmup=False)
def test_coldstart(cell, measure, benchmark):
    record = measure(cell, "coldstart")
    parts = [m for name in COLD_PHASES if (m := record.measurement(name))]
    assert parts
    totals = [sum(observation) for observation in zip(*(m.samples for m in parts), strict=True)]
    replay(benchmark, totals, {"cell": cell.id, "sum_of": [m.metric for m in parts]})
