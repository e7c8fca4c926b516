"""The operations under every model give the known answers."""

from __future__ import annotations


def test_foundations(cell, case, measure_case):
    record = measure_case(cell, case)
    assert record.result.evidence
