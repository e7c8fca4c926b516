"""Every model builds at its published size, is reproducible bit for bit, and survives saving."""

from __future__ import annotations

from suite.axes import BUILD


def test_build(cell, measure):
    record = measure(cell, BUILD)
    assert record.measurement("parameters").samples[0] > 0
    assert record.result.outputs
