"""Operators run in 8 bits, the model is smaller, and it still performs its task."""

from __future__ import annotations

from suite.axes import QUANTIZE


def test_quantize(cell, measure):
    record = measure(cell, QUANTIZE)
    assert record.result.claims
