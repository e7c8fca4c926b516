"""Peak memory of one forward pass: resident memory, tensor bytes, and the CUDA allocator's counters."""

from __future__ import annotations


def test_memory(cell, measure):
    record = measure(cell, "memory")
    assert any(m.metric in ("peak_rss_delta", "cuda_allocated") for m in record.measurements)
