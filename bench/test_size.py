"""Size of the model: parameters, their bytes, multiply-accumulates of one forward pass."""

from __future__ import annotations


def test_size(cell, measure):
    record = measure(cell, "size")
    for metric in ("parameters", "parameter_bytes", "macs"):
        assert record.measurement(metric).samples[0] > 0
