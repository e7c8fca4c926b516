"""What every model rests on gives the answers that are known beforehand."""

from __future__ import annotations


def test_foundations(cell, case, measure_case):
    record = measure_case(cell, case)
    assert record.result.evidence
