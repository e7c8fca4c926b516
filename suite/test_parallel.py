"""Several processes train like one: the same losses within tolerance."""

from __future__ import annotations

from suite.axes import PARALLEL


def test_parallel(cell, measure):
    record = measure(cell, PARALLEL)
    assert record.result.claims
    assert record.result.processes > 1
