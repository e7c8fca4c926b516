"""The trained, pruned and quantized models as graphs that agree with the module on real input."""

from __future__ import annotations

from suite.axes import EXPORT


def test_export(cell, measure):
    record = measure(cell, EXPORT)
    assert record.result.claims or record.result.parity  # the model as built has its parity alone
    assert record.artifacts
