"""The outputs of every backend, dtype and 8-bit graph against eager float32, on the input that is measured."""

from __future__ import annotations


def test_fidelity(cell, measure):
    record = measure(cell, "fidelity")
    assert record.result.claims
    assert record.measurement("relative_error") is not None
