"""What one forward pass holds at its peak: resident memory, tensor bytes, and on a GPU what the allocator says."""

from __future__ import annotations


def test_memory(cell, measure):
    record = measure(cell, "memory")
    assert any(m.metric in ("peak_rss_delta", "cuda_allocated") for m in record.measurements)
