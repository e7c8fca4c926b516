"""Operators really run in 8 bits, the model is smaller, and it still does its task."""

from __future__ import annotations


def test_quantize(cell, measure):
    record = measure(cell, "quantize")
    assert record.facts["claims"]
    assert record.facts["num_quantized"] > 0
