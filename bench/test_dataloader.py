"""Throughput of the data loader, by the number of loader workers."""

from __future__ import annotations


def test_dataloader(cell, measure):
    record = measure(cell, "dataloader")
    assert record.measurements
    assert all(min(m.samples) > 0 for m in record.measurements)
