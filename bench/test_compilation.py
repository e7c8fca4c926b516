"""torch.compile without a cache, in a warm process and from a kept cache; graph breaks and what is compiled again."""

from __future__ import annotations


def test_compilation(cell, measure):
    record = measure(cell, "compilation")
    for metric in ("compile_cold", "compile_warm", "compile_cached"):
        assert record.measurement(metric).samples[0] > 0
    assert record.result.num_graphs
