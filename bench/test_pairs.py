"""Every cell in turns with those that it is compared with: eager PyTorch, the trained model, the float graph."""

from __future__ import annotations


def test_pairs(cell, measure):
    record = measure(cell, "pairs")
    assert len(record.result.own.seconds) > 1
    assert record.result.references
